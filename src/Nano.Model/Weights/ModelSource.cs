using System.Runtime.InteropServices;

namespace Nano;

/// <summary>The progress of a conversion, or of the reading of a model.</summary>
/// <param name="Bytes">Bytes of weights read so far.</param>
/// <param name="TotalBytes">Bytes of all weights.</param>
public readonly record struct ConversionProgress(long Bytes, long TotalBytes);

/// <summary>
/// A model as any file holds it: the meeting point of all formats. A reader gives one of these
/// without loading the weights; a writer takes one. Tensors are those of the model's parameters, in
/// their order, under their names, weights [out, in], in the types they are stored as.
/// </summary>
public sealed class ModelSource : IDisposable
{
    private readonly IReadOnlyList<IDisposable> files;

    /// <summary>A model whose tensors read from open files.</summary>
    /// <param name="path">The path, for errors.</param>
    /// <param name="config">The configuration of the model.</param>
    /// <param name="tensors">One for each parameter of the config, in order.</param>
    /// <param name="files">The files to close when it is disposed.</param>
    internal ModelSource(string path, ModelConfig config, IReadOnlyList<ModelTensor> tensors,
        params IReadOnlyList<IDisposable> files)
    {
        (Path, Config, Tensors, this.files) = (path, config, tensors, files);
        if (config is DecoderConfig { Pairing: not RopePairing.RotateHalf, Family: DecoderFamily.Llama })
            throw new NanoException("a model with interleaved rotary pairs cannot be written",
                "permute the rows of the query and key weights to rotate-half first");
        if (!tensors.Select(tensor => (tensor.Name, tensor.Shape))
            .SequenceEqual(config.ParameterShapes().Select(parameter => (parameter.Name, parameter.Shape))))
            throw new ArgumentException($"the tensors of '{path}' are not the parameters of its configuration");
    }

    /// <summary>The path of the model, as the caller gave it.</summary>
    public string Path { get; }

    /// <summary>The configuration of the model.</summary>
    public ModelConfig Config { get; }

    /// <summary>Every parameter once, in the order in which the model declares them.</summary>
    public IReadOnlyList<ModelTensor> Tensors { get; }

    /// <summary>The tensors, each with what the model says about its parameter.</summary>
    internal IEnumerable<(ModelTensor Tensor, ParameterFacts Facts)> Declared =>
        Tensors.Zip(Config.ParameterShapes(), (tensor, parameter) => (tensor, parameter.Facts));

    /// <summary>The metadata of a GGUF file, vocabulary and chat template included; null for other formats.</summary>
    public GgufMetadata? Metadata { get; init; }

    /// <summary>Files beside a Hugging Face model that belong to its tokenizer.</summary>
    public IReadOnlyList<string> TokenizerFiles { get; init; } = [];

    /// <summary>The chat template that it brings, a Jinja string, or null.</summary>
    public string? ChatTemplate { get; init; }

    /// <summary>The file that holds its tokenizer, or null.</summary>
    public string? TokenizerPath { get; init; }

    /// <summary>A model in memory; the source must not outlive it.</summary>
    public static ModelSource Of(LanguageModel model) => new("a model in memory", model.Config,
        [.. model.Parameters.All.Select(parameter => InMemory(parameter, parameter.Name!))]);

    /// <summary>A tensor in memory under a name; what is made of it must not outlive it.</summary>
    internal static ModelTensor InMemory(Tensor tensor, string name) => new(name, tensor.Shape, WeightType.F32,
        (start, destination) => MemoryMarshal
            .AsBytes(tensor.Data.Slice((int)start, destination.Length / sizeof(float))).CopyTo(destination));

    /// <summary>
    /// A view of the model that reports how much has been read, from each thread that reads; this object still owns
    /// the files.
    /// </summary>
    internal ModelSource Watched(IProgress<ConversionProgress> progress)
    {
        long total = Tensors.Sum(tensor => tensor.Bytes), done = 0;
        return With([.. Tensors.Select(tensor => tensor.Watched(bytes =>
            progress.Report(new ConversionProgress(Math.Min(total, Interlocked.Add(ref done, bytes)), total))))]);
    }

    /// <summary>The model with other tensors; this object still owns the files.</summary>
    internal ModelSource With(IReadOnlyList<ModelTensor> tensors) => new(Path, Config, tensors)
    {
        Metadata = Metadata,
        TokenizerFiles = TokenizerFiles,
        TokenizerPath = TokenizerPath,
        ChatTemplate = ChatTemplate,
    };

    /// <summary>Reads all weights into a model of float32.</summary>
    public LanguageModel Load() => ModelFiles.Fill(LanguageModel.Create(Config), Tensors);

    /// <summary>
    /// Reads all weights into a model that runs and is not trained: its matrices are packed as products read them, and
    /// those that are quantised or stored in 16 bits stay so. Of plain weights the results have the bits of
    /// <see cref="Load"/>'s. Quantised weights are multiplied by activations in 8 bits.
    /// </summary>
    /// <param name="exact">True to widen quantised weights: then the results have the bits of <see cref="Load"/>'s,
    /// too.</param>
    /// <param name="progress">Is told of what has been read, from several threads.</param>
    public LanguageModel LoadToRun(bool exact = false, IProgress<ConversionProgress>? progress = null)
    {
        if (progress is not null)
            return Watched(progress).LoadToRun(exact);
        var types = Tensors.ToDictionary(tensor => tensor.Name, tensor => tensor.Type, StringComparer.Ordinal);
        return ModelFiles.Fill(LanguageModel.Create(Config, parameter => parameter.Facts.IsReadInParts
            || parameter.Facts.Role is not (ParameterRole.Inner or ParameterRole.ResidualOut
                or ParameterRole.Embedding or ParameterRole.Head) ? null
            : types[parameter.Name] is var type && type is WeightType.F16 or WeightType.BF16
                || (WeightTypes.IsQuantised(type) && !exact) ? type : WeightType.F32), Tensors);
    }

    /// <summary>
    /// Reads all weights into a model whose quantised matrices stay quantised and frozen, while other parameters, its
    /// own or an adapter's, are trained. Where a tape records, products have the bits of <see cref="Load"/>'s.
    /// </summary>
    public LanguageModel LoadFrozen()
    {
        var types = Tensors.ToDictionary(tensor => tensor.Name, tensor => tensor.Type, StringComparer.Ordinal);
        return ModelFiles.Fill(LanguageModel.Create(Config,
            parameter => WeightTypes.IsQuantised(types[parameter.Name]) ? types[parameter.Name] : null), Tensors);
    }

    /// <summary>Closes the files.</summary>
    public void Dispose()
    {
        foreach (IDisposable file in files)
            file.Dispose();
    }
}
