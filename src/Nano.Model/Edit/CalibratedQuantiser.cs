using System.Runtime.InteropServices;

namespace Nano;

/// <summary>The progress of a quantisation by a method.</summary>
/// <param name="Blocks">Blocks of the model done.</param>
/// <param name="TotalBlocks">All blocks.</param>
public readonly record struct CalibrationProgress(int Blocks, int TotalBlocks);

/// <summary>
/// Quantises the matrices of a model's blocks by a method. Where the method looks at inputs, the model reads a text,
/// and each block sees what the blocks before it, quantised already, give it: as many blocks at once as their sums fit
/// in memory.
/// </summary>
public sealed class CalibratedQuantiser
{
    // The sums of products of the blocks that are watched at once.
    private const long MostBytes = 1L << 31;

    private readonly LanguageModel model;
    private readonly Compute compute;
    private readonly CalibrationOptions options;
    private readonly bool isGguf;
    private readonly Dictionary<string, Tensor> parameters;
    private readonly Dictionary<string, GroupedMatrix> made = new(StringComparer.Ordinal);
    private readonly HashSet<string> moved = new(StringComparer.Ordinal);
    private readonly List<string> left = [];
    private readonly ParallelOptions threads = new() { MaxDegreeOfParallelism = WorkerTeam.DefaultSize() };

    private CalibratedQuantiser(LanguageModel model, Compute compute, CalibrationOptions options, bool isGguf)
    {
        (this.model, this.compute, this.options, this.isGguf) = (model, compute, options, isGguf);
        parameters = model.Parameters.All.ToDictionary(parameter => parameter.Name!, StringComparer.Ordinal);
    }

    /// <summary>Reads one path and writes another: a GGUF file, or a folder in GPTQ's layout.</summary>
    /// <param name="input">A model in any format.</param>
    /// <param name="output">A name that ends in .gguf, or a new folder.</param>
    /// <param name="options">The method and its options.</param>
    /// <param name="compute">The context to run in, without a tape.</param>
    /// <param name="ids">The text; empty for methods that need none.</param>
    /// <param name="progress">Is told of blocks.</param>
    /// <exception cref="NanoException">There is no model, the output is in the way or cannot be written, options do not
    /// go together, the text is too short, or a weight or input is not finite.</exception>
    /// <exception cref="BadFileException">The input is malformed.</exception>
    public static Conversion Quantise(string input, string output, CalibrationOptions options, Compute compute,
        ReadOnlySpan<int> ids, IProgress<CalibrationProgress>? progress = null)
    {
        bool isGguf = output.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase);
        options.Check(isGguf);
        var target = new ConversionOptions
        {
            Format = isGguf ? ModelFormat.Gguf : ModelFormat.Safetensors,
            Overwrite = options.Overwrite,
        };
        ModelConverter.CheckOutput(output, target);
        ModelFormat from = ModelLoader.FormatOf(input);
        using ModelSource source = ModelLoader.Open(input);
        if (!options.Requantises)
            GgufModel.RefuseQuantised(source);
        if (isGguf)
            GgufModel.Refuse(source.Config);
        using LanguageModel model = source.Load();
        var quantiser = new CalibratedQuantiser(model, compute, options, isGguf);
        quantiser.Run(ids, progress);
        return quantiser.Write(source, from, output, target);
    }

    private void Run(ReadOnlySpan<int> ids, IProgress<CalibrationProgress>? progress)
    {
        int layers = model.Config.Layers;
        for (int first = 0, end; first < layers; first = end)
        {
            var inputs = new List<SharedInput>();
            long bytes = 0;
            for (end = first; end < layers && (end == first || !options.NeedsText || bytes < MostBytes); end++)
                foreach (SharedInput input in model.Config.SharedInputs(end))
                {
                    inputs.Add(input);
                    bytes += sizeof(double) * (long)Math.Pow(parameters[input.Weights[0]].Shape[1], 2);
                }
            InputStatistics?[] statistics = !options.NeedsText ? new InputStatistics?[inputs.Count]
                : InputCollector.Collect(model, compute, ids, options, inputs,
                    hasProducts: options.Method != QuantisationMethod.SmoothQuant);
            if (options.IsScaling)
                for (int i = 0; i < inputs.Count; i++)
                    Scale(inputs[i], statistics[i]!);
            for (int i = 0; i < inputs.Count && !(isGguf && options.IsScaling); i++)
                Quantise(inputs[i], statistics[i]);
            progress?.Report(new CalibrationProgress(end, layers));
        }
    }

    private double[] Weights(string name)
    {
        Span<float> data = parameters[name].Data;
        var weights = new double[data.Length];
        for (int i = 0; i < weights.Length; i++)
            weights[i] = data[i];
        return weights;
    }

    /// <summary>Scales the channels of a vector, if something makes it that can be divided.</summary>
    private void Scale(SharedInput input, InputStatistics statistics)
    {
        int columns = statistics.Largest.Length;
        if (input.Makers.Count == 0)
            return;
        double[] scales;
        if (options.Method == QuantisationMethod.SmoothQuant)
        {
            var largest = new double[columns];
            foreach (string name in input.Weights)
            {
                Span<float> data = parameters[name].Data;
                for (int i = 0; i < data.Length; i++)
                    largest[i % columns] = Math.Max(largest[i % columns], Math.Abs(data[i]));
            }
            scales = SmoothQuant.Scales(statistics.Largest, largest);
        }
        else
        {
            int group = options.GroupOf(columns, isGguf);
            if (columns % group != 0)
                return;
            scales = Awq.Choose([.. input.Weights.Select(Weights)], statistics.Gram(), statistics.Means, group,
                options.CodeBits, threads, Form).Scales;
        }
        InputScales.Move(parameters, input, scales);
        moved.UnionWith(input.Makers);
        moved.UnionWith(input.Weights);
    }

    private GridForm Form => isGguf ? GridForm.Minimum : GridForm.WholeZero;

    /// <summary>Quantises matrices that read one vector; in the model they become what their codes stand for.</summary>
    private void Quantise(SharedInput input, InputStatistics? statistics)
    {
        int columns = parameters[input.Weights[0]].Shape[1], group = options.GroupOf(columns, isGguf);
        Gptq.Inputs? factor = null;
        foreach (string name in input.Weights)
        {
            Tensor tensor = parameters[name];
            if (columns % group != 0 || (!isGguf && !GroupedWriter.Fits(tensor.Shape, options.CodeBits)))
            {
                left.Add(name);
                continue;
            }
            var matrix = new GroupedMatrix(tensor.Shape[0], columns, group, options.CodeBits);
            try
            {
                if (options.Method == QuantisationMethod.Gptq)
                    factor ??= Gptq.Factor(statistics!.Gram(), columns, options.IsOrdered);
                Quantise(Weights(name), matrix, factor);
            }
            catch (Exception e) when (Cause(e) is { } cause)
            {
                throw new NanoException($"tensor {Quoted.Of(name)}: {cause.Problem}", inner: cause);
            }
            made.Add(name, matrix);
            var row = new double[columns];
            for (int r = 0; r < matrix.Rows; r++)
            {
                matrix.Dequantise(r, row);
                for (int j = 0; j < columns; j++)
                    tensor.Data[(r * columns) + j] = (float)row[j];
            }
        }
    }

    private static QuantisationException? Cause(Exception e) =>
        e as QuantisationException ?? (e as AggregateException)?.InnerExceptions[0] as QuantisationException;

    private void Quantise(double[] weights, GroupedMatrix matrix, Gptq.Inputs? factor)
    {
        if (options.Method == QuantisationMethod.Gptq)
            Gptq.Quantise(weights, factor!, matrix, threads, Form);
        else if (options.Method == QuantisationMethod.Hqq)
            Hqq.Quantise(weights, matrix, Form);
        else
            Parallel.For(0, matrix.Rows, threads, row =>
            {
                ReadOnlySpan<double> from = weights.AsSpan(row * matrix.Columns, matrix.Columns);
                if (options.Method is QuantisationMethod.Int8 or QuantisationMethod.SmoothQuant)
                    IntBytes.AbsmaxRow(from, matrix, row);
                else
                    RoundToNearest.Quantise(from, matrix, row, Form);
            });
    }

    private Conversion Write(ModelSource source, ModelFormat from, string output, ConversionOptions target)
    {
        ModelTensor[] tensors = [.. source.Tensors.Select(tensor =>
            isGguf && made.TryGetValue(tensor.Name, out GroupedMatrix? matrix)
                ? GroupedWriter.Blocks(tensor.Name, matrix) : moved.Contains(tensor.Name) ? InMemory(tensor) : tensor)];
        using ModelSource changed = source.With(tensors);
        var types = !isGguf ? [] : GgufNames.Entries(changed.Config)
            .Where(entry => made.ContainsKey(entry.Parameters[0].Name))
            .ToDictionary(entry => entry.Name, entry => changed.Tensors
                .First(tensor => tensor.Name == entry.Parameters[0].Name).Type, StringComparer.Ordinal);
        Conversion written = ModelConverter.Write(changed, from, output, target with
        {
            Grouped = isGguf ? null : new GroupedMatrices(made, options.CodeBits, options.FolderGroup),
            Quantisation = !isGguf ? null : new QuantisationOptions
            {
                FileType = options.FileType ?? (options.CodeBits == 4 ? GgufFileType.Q4_1 : GgufFileType.Q8_0),
                Types = types,
                Requantises = true,
            },
        });
        return left.Count == 0 ? written : written with
        {
            Notes = [.. written.Notes, $"{left.Count} matrices stay as they are, for groups or words do not divide "
                + $"them: {string.Join(", ", left.Take(3).Select(name => Quoted.Of(name)))}"
                + (left.Count > 3 ? ", ..." : "")],
        };
    }

    private ModelTensor InMemory(ModelTensor tensor) => new(tensor.Name, tensor.Shape, WeightType.F32,
        (start, destination) => MemoryMarshal.AsBytes(
            parameters[tensor.Name].Data.Slice((int)start, destination.Length / sizeof(float))).CopyTo(destination));
}
