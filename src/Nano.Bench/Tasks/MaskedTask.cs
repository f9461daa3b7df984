namespace Nano;

/// <summary>Masked characters (Devlin et al., "BERT", 2018): 15 %, 80 % of them hidden, 10 % others.</summary>
internal static class MaskedTask
{
    private const int T = 32, Rows = 32, TestBatches = 100;

    // 1 / sqrt(C): the head multiplies by the same table, and begins with logits of about 1.
    private const double TableDeviation = 0.125;

    public static IReadOnlyList<TaskFigure> Run(TaskRun run)
    {
        var (c, text) = (run.Compute, run.Characters);
        var mask = new MaskedTokens(text.Vocabulary, text.Vocabulary, []);
        using var model = run.Initialized(new Bert(new BertConfig
        {
            VocabSize = text.Vocabulary + 1,
            ContextLength = T,
            Layers = 2,
            Heads = 4,
            Channels = 64,
            Intermediate = 256,
            TokenTypes = 0,
            Head = BertHead.MaskedTokens,
        }), TableDeviation, TableDeviation);
        long number = 0;
        double last = run.Fit("bert", model, 1000, 3e-3, 0.1,
            draws => Masked(c, mask, Characters.Windows(c, text.Training, draws, Rows, T).Ids, run.Seed, number++));
        double loss = 0;
        int right = 0, count = 0;
        var held = run.HeldOut;
        for (int i = 0; i < TestBatches; i++)
        {
            c.NextStep();
            var batch = Masked(c, mask, Characters.Windows(c, text.Validation, held, Rows, T).Ids, run.Seed, -1 - i);
            Tensor? logits = null;
            var mean = c.WithoutTape(() => model.Loss(c, batch, (name, tensor) =>
                logits = name == "logits" ? tensor : logits));
            var targets = batch["targets"].Ids;
            int counted = targets.Length - targets.Count(UpdateBatch.Ignored);
            for (int t = 0; t < targets.Length; t++)
                right += targets[t] >= 0 && Sampler.ArgMax(
                    logits!.Data.Slice(t * (text.Vocabulary + 1), text.Vocabulary + 1)) == targets[t] ? 1 : 0;
            (loss, count) = (loss + (mean.Data[0] * (double)counted), count + counted);
        }
        return
        [
            new("loss of masked characters", loss / count, 2.142), new("of them right", (double)right / count, 0.401),
            new("loss of their frequencies alone", text.UnigramLoss(), 3.347), new("loss of the last batch", last),
        ];
    }

    private static Batch Masked(Compute c, MaskedTokens mask, Tensor ids, ulong seed, long step)
    {
        var targets = c.New(ids.Shape, DType.Int32);
        for (int b = 0; b < Rows; b++)
            mask.Apply(seed, step, b, ids.Ids.Slice(b * T, T), targets.Ids.Slice(b * T, T));
        return new(new Dictionary<string, Tensor> { ["input_ids"] = ids, ["targets"] = targets });
    }
}
