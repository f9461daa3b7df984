namespace Nano;

/// <summary>
/// Selective copying (Gu and Dao, "Mamba", 2023, section 4.1.1): three letters of eight stand at random places of
/// twelve, blanks elsewhere, and are to be said in order at the end. Scans whose step sizes, inputs and outputs depend
/// on the text can leave blanks out; the same layers with constant ones cannot.
/// </summary>
internal static class CopyTask
{
    private const int Letters = 8, Blank = 8, Say = 9, Vocabulary = 10, Places = 12, Count = 3, T = Places + Count,
        Batch = 32, Tested = 1000, Steps = 500;
    private const double Rate = 5e-3;

    public static IReadOnlyList<TaskFigure> Run(TaskRun run)
    {
        using var selective = new Mamba(new MambaConfig
        {
            VocabSize = Vocabulary,
            ContextLength = T,
            Layers = 2,
            Heads = 1,
            Channels = 24,
            Intermediate = 48,
            StateSize = 8,
            StepRank = 4,
            TiedHead = false,
        });
        using var constant = new ConstantScans(Vocabulary, 2, 24, 48, 8, 4);
        var figures = new List<TaskFigure>();
        foreach (var (name, model, expected) in new (string, Model, double)[]
            { ("selective", selective, 0.989), ("constant", constant, 0.758) })
        {
            model.Initialize(run.Seed);
            double loss = run.Fit(name, model, Steps, Rate, 0, draws => Rows(run.Compute, draws, Batch));
            figures.Add(new($"letters that are right, {name}", Accuracy(run, model), expected));
            figures.Add(new($"loss of the last batch, {name}", loss));
        }
        return figures;
    }

    private static double Accuracy(TaskRun run, Model model)
    {
        run.Compute.NextStep();
        var test = Rows(run.Compute, run.HeldOut, Tested);
        Tensor? logits = null;
        run.Compute.WithoutTape(() => model is LanguageModel language
            ? logits = language.Forward(run.Compute, test["input_ids"])
            : model.Loss(run.Compute, test, (name, tensor) => logits = name == "logits" ? tensor : logits));
        var targets = test["targets"].Ids;
        int right = 0;
        for (int i = 0; i < targets.Length; i++)
            right += targets[i] >= 0
                && Sampler.ArgMax(logits!.Data.Slice(i * Vocabulary, Vocabulary)) == targets[i] ? 1 : 0;
        return (double)right / (Tested * Count);
    }

    private static Batch Rows(Compute c, Draws draws, int count)
    {
        Tensor ids = c.New(new Shape(count, T), DType.Int32), targets = c.New(ids.Shape, DType.Int32);
        targets.Ids.Fill(UpdateBatch.Ignored);
        for (int b = 0; b < count; b++)
        {
            var row = ids.Ids.Slice(b * T, T);
            row[..Places].Fill(Blank);
            row[Places..].Fill(Say);
            for (int left = Count; left > 0;)
                if (draws.Below(Places) is var place && row[place] == Blank)
                    (row[place], left) = (draws.Below(Letters), left - 1);
            int said = Places;
            for (int t = 0; t < Places; t++)
                if (row[t] != Blank)
                    targets.Ids[(b * T) + said++] = row[t];
        }
        return new(new Dictionary<string, Tensor> { ["input_ids"] = ids, ["targets"] = targets });
    }
}
