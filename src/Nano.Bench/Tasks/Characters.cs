namespace Nano;

/// <summary>A text as ids of its characters: nine tenths to train on, the rest to measure with.</summary>
internal sealed class Characters
{
    public Characters(Corpus corpus)
    {
        var tokenizer = CharTokenizer.FromText(corpus.Text);
        var (train, validation) = corpus.Split();
        (Vocabulary, Training, Validation) =
            (tokenizer.VocabSize, tokenizer.Encode(train), tokenizer.Encode(validation));
    }

    /// <summary>V: different characters.</summary>
    public int Vocabulary { get; }

    public int[] Training { get; }

    public int[] Validation { get; }

    /// <summary>Windows at random places: ids [B, T], and as targets those one further on.</summary>
    public static (Tensor Ids, Tensor Targets) Windows(Compute c, int[] text, Draws draws, int B, int T)
    {
        Tensor ids = c.New(new Shape(B, T), DType.Int32), targets = c.New(ids.Shape, DType.Int32);
        for (int b = 0; b < B; b++)
        {
            int start = draws.Below(text.Length - T - 1);
            text.AsSpan(start, T).CopyTo(ids.Ids[(b * T)..]);
            text.AsSpan(start + 1, T).CopyTo(targets.Ids[(b * T)..]);
        }
        return (ids, targets);
    }

    /// <summary>The batch of random windows of the training text.</summary>
    public Batch Batch(Compute c, Draws draws, int B, int T)
    {
        var (ids, targets) = Windows(c, Training, draws, B, T);
        return new(new Dictionary<string, Tensor> { ["input_ids"] = ids, ["targets"] = targets });
    }

    /// <summary>Mean loss over the first characters of the validation text, in windows of T.</summary>
    public double Loss(Compute c, Model model, int T)
    {
        const int Measured = 25_600, Together = 5_120;
        int count = Math.Min(Measured, (Validation.Length - 1) / T * T);
        double sum = 0;
        for (int done = 0; done < count;)
        {
            c.NextStep();
            int part = Math.Min(Together / T * T, count - done);
            Shape shape = new(part / T, T);
            Tensor ids = c.New(shape, DType.Int32), targets = c.New(shape, DType.Int32);
            Validation.AsSpan(done, part).CopyTo(ids.Ids);
            Validation.AsSpan(done + 1, part).CopyTo(targets.Ids);
            sum += part * (double)c.WithoutTape(() => model.Loss(c, new(new Dictionary<string, Tensor>
            {
                ["input_ids"] = ids,
                ["targets"] = targets,
            }))).Data[0];
            done += part;
        }
        return sum / count;
    }

    /// <summary>Mean loss of the validation text under the frequencies of the training text.</summary>
    public double UnigramLoss()
    {
        var counts = new double[Vocabulary];
        foreach (int id in Training)
            counts[id]++;
        return -Validation.Average(id => Math.Log(Math.Max(1e-9, counts[id] / Training.Length)));
    }
}
