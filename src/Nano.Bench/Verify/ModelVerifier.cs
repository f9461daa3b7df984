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
    private const double TrueZero = 1e-12; // golden gradients are rounded from double precision

    private readonly Compute compute;
    private readonly string goldenPath, tolerancesPath;
    private readonly Model model;
    private readonly SafetensorsReader golden;
    private readonly JsonDocument tolerances;
    private readonly List<VerificationRow> rows = [];
    private Batch? batch;

    private ModelVerifier(string modelPath, string goldenPath, Compute compute)
    {
        (this.compute, this.goldenPath) = (compute, goldenPath);
        golden = SafetensorsReader.Open(goldenPath);
        model = Directory.Exists(modelPath) && ConfigFile.LoadAny(Path.Combine(modelPath, ModelFolder.ConfigFile))
            is not ModelConfig ? AnyModel.Load(modelPath) : ModelLoader.LoadModel(modelPath);
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
        var loss = Forward((name, tensor) => Compare(golden.Entries.ContainsKey(name) ? name : "act." + name,
            tensor.Data));
        Compare("loss", loss.Data);
        compute.Tape!.Backward(compute, loss);
        foreach (var (name, file) in Trained("grad."))
            Compare(name, InFileOrder(file, parameter => parameter.HasGradient ? parameter.Gradient
                : new Tensor(parameter.Shape))); // zero where the loss reads nothing of it
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
        foreach (var (name, file) in Trained($"after{losses.Length}."))
            CompareWeights(name, InFileOrder(file, parameter => parameter), learningRate);
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
    /// The argmax continuation must be exact, from a cache or a state and by running the whole text for every token; of
    /// a model that reads another text, about the first row of the batch.
    /// </summary>
    private void CheckGreedy()
    {
        if (!golden.Entries.ContainsKey("greedy_ids"))
            return;
        int[] prompt = Ids("greedy_prompt"), expected = Ids("greedy_ids");
        int count = expected.Length - prompt.Length;
        switch (model)
        {
            case LanguageModel decoder:
                using (var generator = new Generator(decoder, compute))
                    CompareGreedy("greedy_ids (cached)", [.. prompt, .. generator.Continue(prompt,
                        new SamplerOptions { Temperature = 0 }).Take(count)], expected);
                CompareGreedy("greedy_ids (whole text)", WholeTexts(ids => decoder.Forward(compute, ids)), expected);
                break;
            case Rnn { Writes: true } recurrent:
                CompareGreedy("greedy_ids (state)", [.. prompt, .. compute.WithoutTape(() =>
                    recurrent.Continue(compute, prompt, count))], expected);
                CompareGreedy("greedy_ids (whole text)",
                    WholeTexts(ids => recurrent.Forward(compute, ids).Logits), expected);
                break;
            case IEncoderDecoder writer:
                CompareGreedy("greedy_ids", [.. prompt, .. compute.WithoutTape(() =>
                    writer.Write(compute, FirstSource(), prompt, count))], expected);
                break;
        }
    }

    /// <summary>The source of the first row of the batch: a sound, or a text.</summary>
    private Batch FirstSource()
    {
        const string sound = "input_features";
        if (golden.Entries.ContainsKey(sound))
        {
            var all = ReadBatch()[sound];
            var one = new Shape(1, all.Shape[1], all.Shape[2]);
            return new(new Dictionary<string, Tensor> { [sound] = Tensor.From(one, all.Data[..(int)one.Length]) });
        }
        int[] text = FirstText();
        return new(new Dictionary<string, Tensor> { ["input_ids"] = Tensor.FromIds(new Shape(1, text.Length), text) });
    }

    /// <summary>The first row of the batch without its padding.</summary>
    private int[] FirstText()
    {
        int columns = (int)golden.Entries["input_ids"].Shape[1];
        int length = golden.Entries.ContainsKey("attention_mask") ? Ids("attention_mask")[..columns].Sum() : columns;
        return Ids("input_ids")[..length];
    }

    /// <summary>The argmax continuation of the prompt, running the whole text for every token.</summary>
    private int[] WholeTexts(Func<Tensor, Tensor> logitsOf)
    {
        List<int> whole = [.. Ids("greedy_prompt")];
        long count = golden.Entries["greedy_ids"].Count;
        return compute.WithoutTape(() =>
        {
            while (whole.Count < count)
            {
                compute.NextStep();
                var logits = logitsOf(Tensor.FromIds(new Shape(1, whole.Count), whole.ToArray()));
                whole.Add(Sampler.ArgMax(logits.Data[^logits.Shape.Columns..]));
            }
            return whole.ToArray();
        });
    }

    private void CompareGreedy(string name, int[] ids, int[] expected)
    {
        int wrong = ids.Zip(expected).Count(pair => pair.First != pair.Second);
        rows.Add(new VerificationRow(name, wrong, expected.Length, 0, wrong == 0));
    }

    private Tensor Forward(Action<string, Tensor>? watch)
    {
        compute.NextStep();
        if (model is not LanguageModel decoder)
            return model.Loss(compute, batch ??= ReadBatch(), watch);
        var (ids, targets) = (IdTensor("input_ids"), IdTensor("targets"));
        List<Routing> routings = [];
        var logits = decoder.Forward(compute, ids, new() { Watch = watch, Routings = routings });
        var loss = compute.CrossEntropy(logits, targets).Loss;
        watch?.Invoke("ce", loss);
        return WithRouterLosses(loss, routings, watch);
    }

    /// <summary>The loss of tokens plus those of routers, with the factors that tolerances.json gives.</summary>
    private Tensor WithRouterLosses(Tensor loss, List<Routing> routings, Action<string, Tensor>? watch)
    {
        if (routings.Count == 0)
            return loss;
        Tensor[] logits = [.. routings.Select(routing => routing.Logits)];
        var terms = new (string Name, Tensor Loss)[]
        {
            ("aux_loss", compute.BalanceLoss(logits, [.. routings.Select(routing => routing.Experts)])),
            ("z_loss", compute.RouterZLoss(logits)),
        };
        foreach (var (name, term) in terms)
        {
            watch?.Invoke(name, term);
            loss = compute.Add(loss, compute.Scale(term, (float)FromTolerances(root =>
                root.TryGetProperty("loss_terms", out var factors) && factors.TryGetProperty(name, out var factor)
                    ? factor.GetDouble() : 0)));
        }
        if (watch is not null)
            foreach (var (layer, scores, experts, weights, _) in routings)
            {
                watch($"router{layer}.logits", scores);
                watch($"router{layer}.weights", weights);
                CompareIds($"router{layer}.experts", experts.Ids);
            }
        return loss;
    }

    private void CompareIds(string name, ReadOnlySpan<int> computed)
    {
        if (!golden.Entries.ContainsKey(name))
            return;
        int[] expected = Ids(name);
        int wrong = 0;
        for (int i = 0; i < computed.Length; i++)
            wrong += i < expected.Length && computed[i] == expected[i] ? 0 : 1;
        rows.Add(new VerificationRow(name, wrong, expected.Length, 0, wrong == 0));
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
    /// AdamW divides a gradient by its own size, so where the true gradient is zero rounding noise moves a weight by up
    /// to lr per step: in biases of keys, since softmax ignores a shift common to all, and in a stray element
    /// elsewhere. Those may be off by 3 lr, strays as often as tolerances.json says and three times more; all others
    /// by 1e-5.
    /// </summary>
    private void CompareWeights(string name, ReadOnlySpan<float> computed, double learningRate)
    {
        if (!golden.Entries.TryGetValue(name, out var entry))
            return;
        var expected = Golden(name, entry, computed.Length);
        string gradientName = "grad." + name[(name.IndexOf('.', StringComparison.Ordinal) + 1)..];
        float[]? gradient = golden.Entries.TryGetValue(gradientName, out var found)
            ? Golden(gradientName, found, computed.Length) : null;
        int strays = FromTolerances(root => root.TryGetProperty("after_outliers", out var counts)
            && counts.TryGetProperty(name, out var count) ? count.GetInt32() : 0) + 3;
        bool Free(int i, double error) => error <= 3 * learningRate
            && ((gradient is not null && Math.Abs(gradient[i]) < TrueZero) || (error > 1e-5 && strays-- > 0));
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

    /// <summary>The tensors of the model's files that are trained, and their names in the golden file.</summary>
    private IEnumerable<(string Name, FileTensor File)> Trained(string prefix)
    {
        var trained = model.Parameters.All.Where(parameter => parameter.Parameter!.IsTrained)
            .Select(parameter => parameter.Name!).ToHashSet();
        foreach (FileTensor file in model.Architecture.FileTensors())
            if (trained.Contains(file.Parameters[0]))
                yield return (prefix + (golden.Entries.ContainsKey(prefix + file.Name) ? file.Name
                    : file.Parameters[0]), file);
    }

    /// <summary>Values of parameters as a tensor of the files has them.</summary>
    private float[] InFileOrder(FileTensor file, Func<Tensor, Tensor> valuesOf)
    {
        var joined = ModelFiles.Joined(file, [.. file.Parameters.Select(name => ModelSource.InMemory(
            valuesOf(model.Parameters.All.First(parameter => parameter.Name == name)), name))]);
        var values = new float[joined.Shape.Length];
        joined.ReadFloat32(values);
        return values;
    }

    /// <summary>The inputs of a model that is no decoder: all golden tensors, of which it reads those that it needs.
    /// </summary>
    private Batch ReadBatch()
    {
        var tensors = new Dictionary<string, Tensor>();
        foreach (var (name, entry) in golden.Entries)
        {
            if (name.StartsWith("grad.", StringComparison.Ordinal) || name.StartsWith("after", StringComparison.Ordinal)
                || entry.Shape.Count > 4 || entry.Count > int.MaxValue)
                continue;
            var shape = new Shape([.. entry.Shape.Select(size => (int)size)]);
            tensors[name] = entry.Type == SafetensorsType.I64 ? Tensor.FromIds(shape, Ids(name))
                : Tensor.From(shape, Golden(name, entry, (int)entry.Count));
        }
        return new(tensors);
    }

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
            if (model is LanguageModel { Config.VocabSize: var size } && (value < 0 || value >= size)
                && !(value == -100 && name == "targets"))
                throw new BadFileException(goldenPath,
                    $"tensor '{name}' holds the id {value}, which is not below the vocabulary size {size}");
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
