using System.Text.Json;

namespace Nano;

/// <summary>
/// Runs a model against golden values computed in double precision elsewhere: activations, logits,
/// loss, every gradient, three AdamW steps and a greedy continuation; whatever the golden file
/// holds. A tensor passes within ten times the error that float32 PyTorch makes (tolerances.json)
/// plus 1e-6 of its largest value. Weights after AdamW steps are compared with 1e-5, see
/// <see cref="CompareWeights"/>.
/// </summary>
public sealed class ModelVerifier : IDisposable
{
    private const int MaxTolerancesBytes = 64 << 20;

    private readonly Compute compute;
    private readonly string goldenPath, tolerancesPath;
    private readonly LanguageModel model;
    private readonly SafetensorsReader golden;
    private readonly JsonDocument tolerances;
    private readonly List<VerificationRow> rows = [];

    private ModelVerifier(string modelPath, string goldenPath, Compute compute)
    {
        (this.compute, this.goldenPath) = (compute, goldenPath);
        golden = SafetensorsReader.Open(goldenPath);
        model = ModelLoader.LoadModel(modelPath);
        tolerancesPath = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(goldenPath))!, "tolerances.json");
        if (!File.Exists(tolerancesPath))
            throw new NanoException(
                $"'{tolerancesPath}' is missing: it holds the optimizer settings and the errors to compare with");
        tolerances = InputFile.ReadJson(tolerancesPath, MaxTolerancesBytes, "it lies beside the golden file");
    }

    /// <summary>Checks the model in a folder against a golden file; one row per tensor.</summary>
    /// <exception cref="BadFileException">A file is damaged or lacks what it must hold.</exception>
    public static IReadOnlyList<VerificationRow> Run(string modelPath, string goldenPath, Compute compute)
    {
        using var verifier = new ModelVerifier(modelPath, goldenPath, compute);
        compute.Tape = new Tape();
        try
        {
            verifier.CheckGreedy();
            verifier.CheckForwardAndBackward();
            verifier.CheckOptimizer();
        }
        finally
        {
            compute.Tape = null;
        }
        return verifier.rows;
    }

    private void CheckForwardAndBackward()
    {
        model.Parameters.EnableGradients();
        var loss = Forward((name, tensor) => Compare(name == "logits" ? name : "act." + name, tensor.Data));
        Compare("loss", loss.Data);
        compute.Tape!.Backward(compute, loss);
        foreach (var parameter in model.Parameters.All)
            Compare("grad." + GoldenName(parameter), InFileOrder(parameter, parameter.Gradient));
    }

    private void CheckOptimizer()
    {
        if (!golden.Entries.TryGetValue("losses", out var entry))
            return;
        var (options, clipNorm, learningRate) =
            FromTolerances(root => OptimizerSettings(root.GetProperty("optimizer")));
        using var optimizer = new AdamW(model.Parameters.All, options);
        var gradients = new GradientNorm(model.Parameters.All);
        float[] losses = new float[entry.Count], norms = new float[entry.Count];
        for (int step = 0; step < losses.Length; step++)
        {
            model.Parameters.ForgetGradients();
            var loss = Forward(null);
            compute.Tape!.Backward(compute, loss);
            double norm = gradients.Measure(compute);
            optimizer.Step(compute, learningRate, GradientNorm.ClipScale(norm, clipNorm));
            (losses[step], norms[step]) = (loss.Data[0], (float)norm);
        }
        Compare("losses", losses);
        Compare("grad_norms", norms);
        foreach (var parameter in model.Parameters.All)
            CompareWeights($"after{losses.Length}.{GoldenName(parameter)}", InFileOrder(parameter, parameter),
                parameter, learningRate);
    }

    private static (OptimizerOptions Options, double ClipNorm,
        double LearningRate) OptimizerSettings(JsonElement settings)
    {
        double Number(string key) => settings.GetProperty(key).GetDouble();
        var betas = settings.GetProperty("betas");
        return (new OptimizerOptions("adamw", betas[0].GetDouble(), betas[1].GetDouble(), Number("eps"),
            Number("weight_decay")), Number("grad_clip"), Number("lr"));
    }

    private T FromTolerances<T>(Func<JsonElement, T> read)
    {
        try
        {
            return read(tolerances.RootElement);
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or IndexOutOfRangeException
            or FormatException)
        {
            throw new BadFileException(tolerancesPath,
                $"the optimizer settings or the errors to compare with are not there: {Quoted.Reason(e)}", e);
        }
    }

    /// <summary>
    /// The argmax continuation must be exact, both through the key-value cache and by running the
    /// whole text for every token.
    /// </summary>
    private void CheckGreedy()
    {
        if (!golden.Entries.ContainsKey("greedy_ids"))
            return;
        int[] prompt = Ids("greedy_prompt"), expected = Ids("greedy_ids");
        using var generator = new Generator(model, compute);
        int[] cached = [.. prompt, .. generator.Continue(prompt, new SamplerOptions { Temperature = 0 })
            .Take(expected.Length - prompt.Length)];
        List<int> whole = [.. prompt];
        compute.Tape = null;
        while (whole.Count < expected.Length)
        {
            compute.NextStep();
            var logits = model.Forward(compute, Tensor.FromIds(new Shape(1, whole.Count), whole.ToArray()));
            whole.Add(Sampler.ArgMax(logits.Data[^model.Config.VocabSize..]));
        }
        compute.Tape = new Tape();
        foreach (var (name, ids) in new[] { ("greedy_ids (cached)", cached),
            ("greedy_ids (whole text)", whole.ToArray()) })
        {
            int wrong = ids.Zip(expected).Count(pair => pair.First != pair.Second);
            rows.Add(new VerificationRow(name, wrong, expected.Length, 0, wrong == 0));
        }
    }

    private Tensor Forward(Action<string, Tensor>? watch)
    {
        compute.NextStep();
        var (ids, targets) = (IdTensor("input_ids"), IdTensor("targets"));
        return compute.CrossEntropy(model.Forward(compute, ids, new() { Watch = watch }), targets).Loss;
    }

    private void Compare(string name, ReadOnlySpan<float> computed)
    {
        if (!golden.Entries.TryGetValue(name, out var entry))
            return;
        var (error, scale) = Difference(computed, Golden(name, entry, computed.Length), null);
        double reference = ReferenceError(name);
        rows.Add(new VerificationRow(name, error, scale, reference,
            double.IsFinite(error) && error <= (10 * reference) + (1e-6 * scale)));
    }

    /// <summary>
    /// AdamW divides a gradient by its own size, so where the true gradient is zero rounding noise
    /// moves a weight by up to lr per step: in the keys' third of the bias of queries, keys and
    /// values (softmax ignores a shift common to all keys) and in a stray element elsewhere. Those
    /// may be off by 3 lr, three elements per tensor at most; all others by 1e-5.
    /// </summary>
    private void CompareWeights(string name, ReadOnlySpan<float> computed, Tensor parameter, double learningRate)
    {
        if (!golden.Entries.TryGetValue(name, out var entry))
            return;
        var expected = Golden(name, entry, computed.Length);
        bool attentionBias = parameter.Parameter is { Role: ParameterRole.Bias, Parts: 3 };
        int strays = 0, third = computed.Length / 3;
        bool Free(int i, double error) => error <= 3 * learningRate
            && ((attentionBias && i / third == 1) || (error > 1e-5 && ++strays <= 3));
        var (error, scale) = Difference(computed, expected, Free);
        rows.Add(new VerificationRow(name, error, scale, ReferenceError(name), error <= 1e-5));
    }

    private static (double Error, double Scale) Difference(ReadOnlySpan<float> computed, ReadOnlySpan<float> expected,
        Func<int, double, bool>? free)
    {
        double worst = 0, scale = 0;
        for (int i = 0; i < computed.Length; i++)
        {
            double error = Math.Abs((double)computed[i] - expected[i]);
            if (double.IsNaN(error))
                error = double.PositiveInfinity;
            scale = Math.Max(scale, Math.Abs(expected[i]));
            if (error > worst && !(free?.Invoke(i, error) ?? false))
                worst = error;
        }
        return (worst, scale);
    }

    private float[] Golden(string name, SafetensorsEntry entry, int length)
    {
        if (entry.Count != length)
            throw new BadFileException(goldenPath,
                $"tensor '{name}' has {entry.Count} elements, the model gives {length}");
        var values = new float[length];
        golden.ReadFloat32(name, values);
        return values;
    }

    private double ReferenceError(string name) =>
        FromTolerances(root => root.TryGetProperty("f32_err", out var errors)
            && errors.TryGetProperty(name, out var pair) ? pair[1].GetDouble() : 0);

    private string GoldenName(Tensor parameter) =>
        golden.Entries.ContainsKey("grad." + parameter.Name) ? parameter.Name!
            : ModelDirectory.FileName(model.Config, parameter.Name!, parameter.Parameter!);

    private ReadOnlySpan<float> InFileOrder(Tensor parameter, Tensor values) =>
        ModelDirectory.IsConv1D(model.Config, parameter.Parameter!)
            ? ModelDirectory.Transposed(values.Data, values.Shape[0], values.Shape[1]) : values.Data;

    private Tensor IdTensor(string name)
    {
        int[] ids = Ids(name);
        var shape = golden.Entries[name].Shape;
        return shape.Count == 2 ? Tensor.FromIds(new Shape((int)shape[0], (int)shape[1]), ids)
            : throw new BadFileException(goldenPath,
                $"tensor '{name}' has shape [{string.Join(", ", shape)}]; expected rows of ids");
    }

    private int[] Ids(string name)
    {
        if (!golden.Entries.TryGetValue(name, out var entry))
            throw new BadFileException(goldenPath, $"tensor '{name}' is missing");
        var values = new long[entry.Count];
        golden.ReadInt64(name, values);
        foreach (long value in values)
            if ((value < 0 || value >= model.Config.VocabSize) && !(value == -100 && name == "targets"))
                throw new BadFileException(goldenPath,
                    $"tensor '{name}' holds the id {value}, which is not below the vocabulary size "
                    + $"{model.Config.VocabSize}");
        return Array.ConvertAll(values, value => (int)value);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        golden.Dispose();
        tolerances.Dispose();
        model.Dispose();
    }
}
