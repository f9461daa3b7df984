namespace Nano;

/// <summary>
/// Captions of pictures by a decoder that sees (Liu et al., "Visual Instruction Tuning", 2023). The vision tower comes
/// from the CLIP of the task "clip"; the text model has learnt to make captions of colour and shape that stand as words
/// somewhere among 16 places. Stage 1 trains the projector alone, so that patches become such words, stage 2 the text
/// model with it. Measured is how often colour and shape of a new picture are both right.
/// </summary>
internal static class LlavaTask
{
    private const int Rows = 16, Tested = 320, Answer = 3;
    private static readonly int Image = PictureTasks.Vocabulary.Length, Start = Image + 1;

    private static LlavaConfig Config => new()
    {
        TextModel = new DecoderConfig
        {
            VocabSize = Image + 2,
            ContextLength = 32,
            Layers = 2,
            Heads = 4,
            Channels = 48,
            Intermediate = 128,
        },
        VisionTower = PictureTasks.Tower,
        Images = PictureTasks.Images,
        ImageToken = Image,
        VisionLayer = -1,
    };

    public static IReadOnlyList<TaskFigure> Run(TaskRun run)
    {
        using var clip = PictureTasks.TrainedClip(run);
        using var blind = new Decoder(Config.TextModel);
        blind.Initialize(run.Seed);
        run.Fit("texts", blind, 600, 3e-3, 0.01, draws => Next(run.Compute, draws, Rows, isBlind: true));
        using var first = Stage(run, "projector", [clip, blind],
            name => name.StartsWith("multi_modal", StringComparison.Ordinal), out _);
        double aligned = Accuracy(run, first);
        using var second = Stage(run, "projector and text model", [first],
            name => !name.StartsWith("vision_tower", StringComparison.Ordinal), out double loss);
        return
        [
            new("colour and shape right, projector alone (chance 0.06)", aligned),
            new("the same, projector and text model", Accuracy(run, second)),
            new("loss of the last batch", loss),
        ];
    }

    /// <summary>A model with the weights of others, of which a part is trained.</summary>
    private static Llava Stage(TaskRun run, string part, IReadOnlyList<Model> from, Predicate<string> isTrained,
        out double loss)
    {
        var model = new Llava(Config);
        model.Initialize(run.Seed);
        foreach (var source in from.SelectMany(model => model.Parameters.All))
            foreach (var parameter in model.Parameters.All)
                if (parameter.Name == source.Name || parameter.Name == "vision_tower." + source.Name)
                    parameter.CopyFrom(source);
        model.Parameters.Freeze(parameter => !isTrained(parameter.Name!));
        loss = run.Fit(part, model, 500, 2e-3, 0.01, draws => Next(run.Compute, draws, Rows));
        return model;
    }

    /// <summary>Places of patches, or of words in their stead; then "a COLOUR SHAPE".</summary>
    private static Batch Next(Compute c, Draws draws, int count, bool isBlind = false)
    {
        int seen = PictureTasks.Images.Patches, T = seen + Answer;
        var meanings = new int[count];
        Tensor ids = c.New(new Shape(count, T), DType.Int32), targets = c.New(ids.Shape, DType.Int32);
        targets.Ids.Fill(UpdateBatch.Ignored);
        ids.Ids.Fill(isBlind ? 0 : Image);
        for (int b = 0; b < count; b++)
        {
            meanings[b] = draws.Below(PictureTasks.Meanings);
            int[] words = [Word("a"), Word(Pictures.Colours[meanings[b] / 4]), Word(Pictures.Shapes[meanings[b] % 4])];
            int answer = (b * T) + seen;
            for (int word = 1; isBlind && word < Answer; word++)
                ids.Ids[(b * T) + draws.Below(seen / 2) + ((word - 1) * (seen / 2))] = words[word];
            ids.Ids[answer] = Start;
            words.AsSpan(..^1).CopyTo(ids.Ids[(answer + 1)..]);
            words.CopyTo(targets.Ids[answer..]);
        }
        var tensors = new Dictionary<string, Tensor> { ["input_ids"] = ids, ["targets"] = targets };
        if (!isBlind)
            tensors["pixel_values"] = Pictures.Draw(c, draws, PictureTasks.ShapesIn(meanings),
                PictureTasks.ColoursIn(meanings));
        return new(tensors);
    }

    private static int Word(string word) => Array.IndexOf(PictureTasks.Vocabulary, word);

    private static double Accuracy(TaskRun run, Llava model)
    {
        var batch = Next(run.Compute, run.HeldOut, Tested);
        var logits = run.Compute.WithoutTape(() => model.Forward(run.Compute, batch["pixel_values"],
            batch["input_ids"]));
        int hits = 0;
        for (int b = 0; b < Tested; b++)
            hits += IsRight(b, 1) && IsRight(b, 2) ? 1 : 0;
        return hits / (double)Tested;

        bool IsRight(int b, int word)
        {
            int T = logits.Shape[1], V = logits.Shape[2], at = (b * T) + T - Answer + word;
            return Sampler.ArgMax(logits.Data.Slice(at * V, V)) == batch["targets"].Ids[at];
        }
    }
}
