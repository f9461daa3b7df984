namespace Nano;

/// <summary>
/// A model whose text generation is measured: a known one with random weights, or one in a file with
/// the weights and the types that it has there.
/// </summary>
internal sealed class BenchModel
{
    private readonly string? path;

    /// <summary>Each matrix that multiplies, the share of tokens that it does, and the type it is stored in.</summary>
    private readonly IReadOnlyList<(ParameterRole Role, long Weights, double Use, WeightType Type)> matrices;

    private BenchModel(string name, ModelConfig config, string? path, IReadOnlyList<WeightType> types)
    {
        (Name, Config, this.path) = (name, config, path);
        matrices = [.. config.ParameterShapes().Zip(types).Where(pair => !config.IsLookup(pair.First.Facts.Role))
            .Select(pair => (pair.First.Facts.Role, pair.First.Shape.Length, pair.First.Facts.Use, pair.Second))];
    }

    /// <summary>The name of a known model, or that of a file.</summary>
    public string Name { get; }

    public ModelConfig Config { get; }

    /// <summary>Bytes of all weights that multiply a token, as they are stored: of experts, those it chooses.</summary>
    public double Bytes =>
        matrices.Sum(matrix => matrix.Use * BlockFormat.Of(matrix.Type).BytesOf(matrix.Weights));

    /// <summary>The model of a path, a published size of GPT-2, or a preset's.</summary>
    /// <exception cref="NanoException">There is no such model.</exception>
    public static BenchModel Of(string model)
    {
        if (!Path.Exists(model))
        {
            var config = TrainStepSetup.Config(model);
            return new(model, config, null, [.. config.ParameterShapes().Select(_ => WeightType.F32)]);
        }
        using var source = ModelLoader.Open(model);
        return new(Path.GetFileNameWithoutExtension(Path.TrimEndingDirectorySeparator(model)), source.Config, model,
            [.. source.Tensors.Select(tensor => tensor.Type)]);
    }

    /// <summary>Multiplications and additions of weights by some tokens, of which the head sees fewer.</summary>
    public double Flops(double tokens, double headTokens) =>
        matrices.Sum(matrix => Flops(matrix.Role, matrix.Use * matrix.Weights, tokens, headTokens));

    /// <summary>The shares of products of whole numbers in arithmetic of some size.</summary>
    /// <param name="tokens">Tokens that weights multiply.</param>
    /// <param name="headTokens">Those that the head sees.</param>
    /// <param name="all">All arithmetic, attention included.</param>
    public CodeShares Shares(double tokens, double headTokens, double all)
    {
        double four = 0, eight = 0;
        foreach (var type in matrices.GroupBy(matrix => matrix.Type))
        {
            double share = type.Sum(matrix =>
                Flops(matrix.Role, matrix.Use * matrix.Weights, tokens, headTokens)) / all;
            var codes = BenchCases.SharesOf(type.Key);
            (four, eight) = (four + (codes.Narrow * share), eight + (codes.Wide * share));
        }
        return new(four, eight);
    }

    private double Flops(ParameterRole role, double weights, double tokens, double headTokens) => 2.0 * weights
        * (role == (Config.TiedHead ? ParameterRole.Embedding : ParameterRole.Head) ? headTokens : tokens);

    /// <summary>A model for checks, and the one that is timed: on the processor with packed weights.</summary>
    public (LanguageModel Model, LanguageModel Timed) Load(bool onCpu)
    {
        if (path is not null)
        {
            using var source = ModelLoader.Open(path);
            var stored = onCpu ? source.LoadToRun() : source.Load();
            return (stored, stored);
        }
        var model = LanguageModel.Create(Config);
        model.Initialize(1);
        return (model, onCpu ? ModelSource.Of(model).LoadToRun() : model);
    }
}
