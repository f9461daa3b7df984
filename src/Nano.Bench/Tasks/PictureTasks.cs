namespace Nano;

/// <summary>Tasks of pictures: their shapes, and their captions.</summary>
internal static class PictureTasks
{
    public const int Meanings = 16;
    private const int Batch = 48, Tested = 1000, Words = 8;
    private const double PositionDeviation = 0.02;

    /// <summary>The words of captions; the first ends them.</summary>
    public static readonly string[] Vocabulary =
        ["<end>", "a", "the", "picture", "of", "there", "is", .. Pictures.Colours, .. Pictures.Shapes];

    private static readonly string[] Captions =
        ["a {0} {1}", "the {1} is {0}", "a picture of a {0} {1}", "there is a {1} of {0}"];

    /// <summary>The blocks that read pictures.</summary>
    public static TowerConfig Tower => new()
    {
        Layers = 2,
        Heads = 4,
        Channels = 48,
        Intermediate = 96,
        Activation = ActivationKind.GeluErf,
        NormEpsilon = 1e-5f,
    };

    /// <summary>The sizes of pictures.</summary>
    public static ImageSizes Images => new(Pictures.Size, 4);

    public static IReadOnlyList<TaskFigure> Vit(TaskRun run)
    {
        using var model = run.Initialized(new Vit(new VitConfig
        {
            Tower = Tower,
            Images = Images,
            Classes = Pictures.Shapes.Length,
        }), positions: PositionDeviation);
        double loss = run.Fit("vit", model, 1200, 2e-3, 0.01, draws => ShapesOf(run.Compute, draws, Batch));
        var test = ShapesOf(run.Compute, run.HeldOut, Tested);
        var logits = run.Compute.WithoutTape(() => model.Forward(run.Compute, test["pixel_values"]));
        return
        [
            new("accuracy on new pictures (chance 0.25)", ShareOfRight(logits, test["labels"].Ids), 0.897),
            new("loss of the last batch", loss),
        ];
    }

    private static Batch ShapesOf(Compute c, Draws draws, int count)
    {
        var labels = c.New(new Shape(count), DType.Int32);
        var colours = new int[count];
        for (int i = 0; i < count; i++)
            (labels.Ids[i], colours[i]) = (draws.Below(Pictures.Shapes.Length), draws.Below(Pictures.Colours.Length));
        return new(new Dictionary<string, Tensor>
        {
            ["labels"] = labels,
            ["pixel_values"] = Pictures.Draw(c, draws, labels.Ids, colours),
        });
    }

    public static IReadOnlyList<TaskFigure> Clip(TaskRun run)
    {
        var c = run.Compute;
        using var model = NewClip(run);
        double loss = run.Fit("clip", model, 700, 2e-3, 0.01, draws => Pairs(c, draws));
        const int Count = 800;
        var draws = run.HeldOut;
        int[] meanings = [.. Enumerable.Range(0, Count).Select(_ => draws.Below(Meanings))];
        var pictures = Pictures.Draw(c, draws, ShapesIn(meanings), ColoursIn(meanings));
        int[] all = [.. Enumerable.Range(0, Meanings)];
        var scores = c.WithoutTape(() => c.MatMul(model.EncodeImages(c, pictures),
            model.EncodeTexts(c, Texts(c, all, _ => Captions[0])), transposeB: true)); // [800, 16]
        return
        [
            new("share of pictures whose caption is the nearest of 16 (chance 0.06)", ShareOfRight(scores, meanings),
                0.766),
            new("loss of the last batch", loss),
        ];
    }

    /// <summary>A CLIP that has learnt captions.</summary>
    public static Clip TrainedClip(TaskRun run)
    {
        var model = NewClip(run);
        run.Fit("clip", model, 700, 2e-3, 0.01, draws => Pairs(run.Compute, draws));
        return model;
    }

    /// <summary>A CLIP with random weights.</summary>
    private static Clip NewClip(TaskRun run) => run.Initialized(new Clip(new ClipConfig
    {
        TextTower = Tower,
        VisionTower = Tower,
        Images = Images,
        VocabSize = Vocabulary.Length,
        ContextLength = Words,
        EndToken = 0,
        Projection = 32,
    }), positions: PositionDeviation);

    /// <summary>All sixteen meanings once, in a random order and with random wordings.</summary>
    private static Batch Pairs(Compute c, Draws draws)
    {
        int[] meanings = [.. Enumerable.Range(0, Meanings)];
        for (int i = Meanings - 1; i > 0; i--)
        {
            int other = draws.Below(i + 1);
            (meanings[i], meanings[other]) = (meanings[other], meanings[i]);
        }
        return new(new Dictionary<string, Tensor>
        {
            ["input_ids"] = Texts(c, meanings, _ => Captions[draws.Below(Captions.Length)]),
            ["pixel_values"] = Pictures.Draw(c, draws, ShapesIn(meanings), ColoursIn(meanings)),
        });
    }

    /// <summary>The shapes of meanings.</summary>
    public static int[] ShapesIn(int[] meanings) => Array.ConvertAll(meanings, meaning => meaning % 4);

    /// <summary>Their colours.</summary>
    public static int[] ColoursIn(int[] meanings) => Array.ConvertAll(meanings, meaning => meaning / 4);

    private static Tensor Texts(Compute c, int[] meanings, Func<int, string> wording)
    {
        var ids = c.New(new Shape(meanings.Length, Words), DType.Int32);
        ids.Ids.Clear(); // the end token
        for (int i = 0; i < meanings.Length; i++)
        {
            string text = string.Format(null, wording(i), Pictures.Colours[meanings[i] / 4],
                Pictures.Shapes[meanings[i] % 4]);
            string[] words = text.Split(' ');
            for (int t = 0; t < words.Length; t++)
                ids.Ids[(i * Words) + t] = Array.IndexOf(Vocabulary, words[t]);
        }
        return ids;
    }

    /// <summary>The share of rows whose largest score is that of their class.</summary>
    internal static double ShareOfRight(Tensor scores, ReadOnlySpan<int> classes)
    {
        int right = 0, columns = scores.Shape.Columns;
        for (int i = 0; i < classes.Length; i++)
            right += Sampler.ArgMax(scores.Data.Slice(i * columns, columns)) == classes[i] ? 1 : 0;
        return (double)right / classes.Length;
    }
}
