namespace Nano;

/// <summary>
/// Three to eight of twelve letters, to be written backwards. Id 0 pads and begins what is written, 1 ends it.
/// </summary>
internal static class ReverseTasks
{
    private const int Vocabulary = 14, FirstLetter = 2, Shortest = 3, Longest = 8, End = 1, Tested = 500;

    public static IReadOnlyList<TaskFigure> T5(TaskRun run)
    {
        using var model = run.Initialized(new T5(new T5Config
        {
            VocabSize = Vocabulary,
            Layers = 1,
            DecoderLayers = 1,
            Heads = 4,
            HeadDim = 12,
            Channels = 48,
            Intermediate = 96,
            Buckets = 16,
            MaxDistance = 32,
            Activation = ActivationKind.GeluTanh,
            IsGated = true,
            TiedHead = false,
        }));
        double loss = run.Fit("t5", model, 1500, 3e-3, 0.01, draws => Batch(run.Compute, draws, 32));
        return Measured(run, model, loss, 0.612);
    }

    public static IReadOnlyList<TaskFigure> Luong(TaskRun run)
    {
        using var model = new Luong(new Seq2SeqConfig
        {
            Attention = Seq2SeqAttention.Luong,
            VocabSize = Vocabulary,
            TargetVocabSize = Vocabulary,
            EmbeddingSize = 24,
            HiddenSize = 48,
        });
        model.Initialize(run.Seed);
        double loss = run.Fit("luong", model, 600, 5e-3, 0, draws => Batch(run.Compute, draws, 48));
        return Measured(run, model, loss, null);
    }

    private static IReadOnlyList<TaskFigure> Measured(TaskRun run, IEncoderDecoder model, double loss,
        double? expected)
    {
        var draws = run.HeldOut;
        int right = 0;
        for (int i = 0; i < Tested; i++)
        {
            int[] word = Word(draws);
            var written = run.Compute.WithoutTape(() => model.Write(run.Compute, word, [0], word.Length + 1));
            right += written.SequenceEqual([.. word.Reverse(), End]) ? 1 : 0;
        }
        return [new("words that are right to the end", (double)right / Tested, expected),
            new("loss of the last batch", loss)];
    }

    private static int[] Word(Draws draws)
    {
        var word = new int[Shortest + draws.Below(Longest - Shortest + 1)];
        for (int t = 0; t < word.Length; t++)
            word[t] = FirstLetter + draws.Below(Vocabulary - FirstLetter);
        return word;
    }

    private static Batch Batch(Compute c, Draws draws, int count)
    {
        Shape read = new(count, Longest), write = new(count, Longest + 1);
        Tensor ids = c.New(read, DType.Int32), mask = c.New(read, DType.Int32), inputs = c.New(write, DType.Int32),
            targets = c.New(write, DType.Int32);
        ids.Ids.Clear();
        mask.Ids.Clear();
        inputs.Ids.Clear();
        targets.Ids.Fill(UpdateBatch.Ignored);
        for (int b = 0; b < count; b++)
        {
            int[] word = Word(draws);
            word.CopyTo(ids.Ids[(b * Longest)..]);
            mask.Ids.Slice(b * Longest, word.Length).Fill(1);
            int[] backwards = [.. word.Reverse(), End];
            backwards.CopyTo(targets.Ids[(b * (Longest + 1))..]);
            word.Reverse().ToArray().CopyTo(inputs.Ids[((b * (Longest + 1)) + 1)..]);
        }
        return new(new Dictionary<string, Tensor>
        {
            ["input_ids"] = ids,
            ["attention_mask"] = mask,
            ["decoder_input_ids"] = inputs,
            ["targets"] = targets,
        });
    }
}
