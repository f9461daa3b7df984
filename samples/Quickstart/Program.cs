// A GPT of 61,000 parameters learns to write plays, from text to tokens to weights to text, in some seconds.
using Nano;

string text = BuiltInCorpus.Generate()[..200_000];
var tokenizer = CharTokenizer.FromText(text);
var options = new TrainOptions
{
    Preset = "quickstart",
    Model = new Gpt2Config
    {
        VocabSize = tokenizer.VocabSize, ContextLength = 32, Layers = 2, Heads = 2, Channels = 48,
    },
    Batch = 16,
    Time = 32,
    Steps = 400,
    LearningRate = 3e-3,
    MinLearningRate = 3e-4,
};

using var compute = new Compute();
using var model = LanguageModel.Create(options.Model);
model.Initialize(options.Seed);
var rows = new BatchLoader(tokenizer.Encode(text), options.Batch, options.Time, "the play");
var step = new TrainStep(model, compute, rows, options);
Console.WriteLine($"{model.Parameters.Count:N0} parameters, {text.Length:N0} characters");
for (int i = 0; i < options.Steps; i++)
{
    var result = step.Run(i, options.LearningRateAt(i));
    if (i % 100 == 0 || i == options.Steps - 1)
        Console.WriteLine($"step {i + 1,4}  loss {result.Loss:F4}");
}

using var generator = new Generator(model, compute);
var ids = generator.Continue(tokenizer.Encode("\n"), new SamplerOptions { Temperature = 0.7 });
Console.WriteLine(tokenizer.Decode([.. ids.Take(300)]));
