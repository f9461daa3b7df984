namespace Nano;

/// <summary>A text to continue, and its accepted continuations.</summary>
/// <param name="Prompt">The text to continue.</param>
/// <param name="References">At least one.</param>
public sealed record PromptExample(string Prompt, IReadOnlyList<string> References)
{
    /// <summary>
    /// Reads a file of JSON lines such as {"prompt": "The capital of France is", "references":
    /// ["Paris"]}; other keys are ignored.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="limit">The most lines to read; null for all.</param>
    /// <exception cref="NanoException">The file is missing or cannot be read.</exception>
    /// <exception cref="BadFileException">A line is not an example; the message gives its number.</exception>
    public static IReadOnlyList<PromptExample> Read(string path, int? limit = null) =>
        JsonLines.Read(path, line => new PromptExample(line.Text("prompt"), line.Texts("references", 1)), limit);
}

/// <summary>
/// Greedy continuations of prompts, to be compared with references: always the likeliest token,
/// until an end token, a stop string or the limit.
/// </summary>
public static class GreedyTexts
{
    /// <summary>
    /// Continues prompts in batches. A prompt that leaves no room for the tokens in the model's
    /// context loses its beginning, as in lm-evaluation-harness.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="compute">The context to run in.</param>
    /// <param name="examples">At least one.</param>
    /// <param name="maxTokens">The most tokens of a text, from 1 to less than the model's context.</param>
    /// <param name="stops">Texts before which a text ends.</param>
    /// <param name="batch">Texts that are made together; changes none of them.</param>
    /// <param name="progress">Is told how many texts are done.</param>
    /// <returns>The texts, and how many prompts lost their beginning.</returns>
    /// <exception cref="NanoException">A value is out of range, or a prompt cannot be tokenized;
    /// the message names the example.</exception>
    public static (IReadOnlyList<TextPair> Pairs, int Truncated) Make(LanguageModel model, ITokenizer tokenizer,
        Compute compute, IReadOnlyList<PromptExample> examples,
        int maxTokens, IReadOnlyList<string> stops, int batch, Action<int>? progress = null)
    {
        int context = model.Config.ContextLength, truncated = 0;
        if (maxTokens < 1 || maxTokens >= context)
            throw new NanoException(
                $"the number of tokens to generate must be from 1 to {context - 1}, less than the model's context, "
                + $"got {maxTokens}");
        if (batch < 1)
            throw new NanoException($"the batch must be 1 or more, got {batch}");
        var options = new GenerationOptions
        {
            Sampler = new SamplerOptions { Temperature = 0 },
            MaxTokens = maxTokens,
            EndIds = Prompt.Known(tokenizer.EndIds, model.Config)
        };
        using var generator = new Generator(model, compute) { Tokens = tokenizer.VocabSize };
        var pairs = new List<TextPair>();
        foreach (var chunk in examples.Chunk(batch))
        {
            int[][] prompts = [.. chunk.Select((example, i) => Encode(example, pairs.Count + i + 1, tokenizer))];
            truncated += prompts.Count(prompt => prompt.Length > context - maxTokens);
            var generation = generator.Start(
                [.. prompts.Select(prompt => prompt[Math.Max(0, prompt.Length - context + maxTokens)..])], options);
            TextStream[] streams =
                [.. generation.Texts.Select(text => new TextStream(text, tokenizer, options.EndIds, stops))];
            while (generation.Step())
                foreach (var stream in streams)
                    stream.Read();
            pairs.AddRange(chunk.Zip(streams, (example, stream) => new TextPair(stream.Text, example.References)));
            progress?.Invoke(pairs.Count);
        }
        return (pairs, truncated);
    }

    private static int[] Encode(PromptExample example, int number, ITokenizer tokenizer)
    {
        try
        {
            return Prompt.Encode(example.Prompt, tokenizer);
        }
        catch (NanoException e)
        {
            throw new NanoException($"example {number}: {e.Message}", e.Hint, e);
        }
    }
}
