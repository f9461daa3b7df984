namespace Nano.Peers;

/// <summary>
/// Nano as a contender: train MODEL B T TYPE THREADS | product KIND M N K THREADS | decode FILE THREADS TYPE
/// VOCABULARY | prefill FILE THREADS TYPE VOCABULARY | tokenize ENCODING FILE.
/// </summary>
internal static class NanoWork
{
    private const int ComparedSteps = 3;

    public static Work Create(string[] task) => task[0] switch
    {
        "train" => Train(TrainingTask.Of(task[1], int.Parse(task[2]), int.Parse(task[3])), new(int.Parse(task[5]))),
        "product" => Product(ProductTask.Of(task[1], int.Parse(task[2]), int.Parse(task[3]), int.Parse(task[4])),
            new(int.Parse(task[5]))),
        "tokenize" => Tokenize(TokenizerLoader.Load(task[1]), File.ReadAllText(task[2])),
        _ => Text(task[0] == "decode", task[1], new(int.Parse(task[2])), int.Parse(task[4])),
    };

    private static string About(Compute compute) => $"Nano, {SimdWidths.NameOf(compute.Width)}";

    private static Work Train(TrainingTask task, Compute compute)
    {
        var options = task.Options;
        var step = new TrainStep(task.NewModel(), compute, task.NewLoader(), options);
        long number = 0;
        double Run() => step.Run(number++, options.LearningRate).Loss;
        return new Work(About(compute) + ", float32", () => [.. Enumerable.Range(0, ComparedSteps).Select(_ => Run())],
            () => Run());
    }

    private static Work Product(BenchCase of, Compute compute)
    {
        var work = of.Create();
        return new Work(About(compute), () =>
        {
            work.Run(compute);
            return ProductTask.Sample(work.Result!().Data);
        }, () => work.Run(compute));
    }

    private static Work Text(bool decoding, string path, Compute compute, int vocabulary)
    {
        using var source = ModelLoader.Open(path);
        var generator = new Generator(source.LoadToRun(), compute);
        int[] prompt = TextTask.Prompt(decoding ? TextTask.DecodePrompt : TextTask.LongPrompt, vocabulary);
        Generation? text = null;
        return new Work(About(compute) + ", keys and values F32", () =>
        {
            Start();
            Continue(decoding ? TextTask.Decoded : 1);
            return [.. text!.Texts[0].Ids.Skip(decoding ? 1 : 0).Select(id => (double)id)];
        }, () => Continue(decoding ? TextTask.Decoded : 1), Start);

        // Reading the prompt gives the first token; a run of decoding begins after it.
        void Start()
        {
            text = generator.Start([prompt], new GenerationOptions
            {
                Sampler = new SamplerOptions { Temperature = 0 },
                MaxTokens = TextTask.Decoded + 1,
            });
            if (decoding)
                text.Step();
        }

        void Continue(int count)
        {
            for (int i = 0; i < count; i++)
                text!.Step();
        }
    }

    private static Work Tokenize(ITokenizer tokenizer, string text) =>
        new("Nano", () => TextTask.Digest(tokenizer.Encode(text)), () => tokenizer.Encode(text));
}
