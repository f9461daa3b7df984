using System.Runtime.InteropServices;

namespace Nano.Tests;

/// <summary>
/// The record of one training step by llm.c's PyTorch script, for comparison (format: its
/// train_gpt2.py): a batch, its logits, loss and gradients.
/// </summary>
sealed class LlmcDebugState : IDisposable
{
    private const int Version = 2;

    private readonly BinaryFile file;

    private LlmcDebugState(BinaryFile file, Gpt2Config config, int paddedVocabulary)
    {
        this.file = file;
        if (file.Int32(0) != LlmcFile.DebugMagic || file.Int32(4) != Version)
            throw file.Bad($"it starts with {file.Int32(0)} {file.Int32(4)}; a debug state of llm.c starts with "
                + $"{LlmcFile.DebugMagic} {Version}");
        (Batch, Time) = (file.Int32(8), file.Int32(12));
        if (Batch < 1 || Time < 1 || Time > config.ContextLength)
            throw file.Bad($"its batch is {Batch} x {Time}; expected sequences of at most "
                + $"{config.ContextLength} tokens");
        Int128 tokens = (Int128)Batch * Time, elements =
            (tokens * (2 + config.VocabSize)) + 1 + LlmcFile.Elements(config, paddedVocabulary);
        if (file.Length != LlmcFile.HeaderBytes + (elements * sizeof(float)))
            throw file.Bad($"it has {file.Length} bytes; a batch of {Batch} x {Time} of this model asks for "
                + $"{LlmcFile.HeaderBytes + (elements * sizeof(float))}");
        if (tokens * config.VocabSize > int.MaxValue)
            throw file.Bad($"the logits of {tokens} tokens are more than {int.MaxValue} numbers");
        long ids = (long)tokens * sizeof(int), logits = LlmcFile.HeaderBytes + (2 * ids),
            loss = logits + (ids * config.VocabSize);
        (Ids, Targets) = (Numbers<int>(LlmcFile.HeaderBytes, (int)tokens), Numbers<int>(LlmcFile.HeaderBytes + ids,
            (int)tokens));
        foreach (int id in Ids.Concat(Targets))
            if (id < 0 || id >= config.VocabSize)
                throw file.Bad($"a token id is {id}; the vocabulary has {config.VocabSize}");
        Logits = new ModelTensor("logits", new Shape(Batch, Time, config.VocabSize), WeightType.F32,
            (start, destination) => file.Copy(logits + (start * sizeof(float)), destination));
        Loss = Numbers<float>(loss, 1)[0];
        Gradients = LlmcFile.Tensors(file, config, paddedVocabulary, WeightType.F32, loss + sizeof(float));
    }

    /// <summary>B and T.</summary>
    public int Batch { get; }

    /// <summary>Tokens in each sequence.</summary>
    public int Time { get; }

    /// <summary>Token ids [B, T].</summary>
    public IReadOnlyList<int> Ids { get; }

    /// <summary>The token after each, [B, T].</summary>
    public IReadOnlyList<int> Targets { get; }

    /// <summary>[B, T, V].</summary>
    public ModelTensor Logits { get; }

    /// <summary>Mean cross-entropy.</summary>
    public float Loss { get; }

    /// <summary>The gradient of each parameter, named and shaped like it.</summary>
    public IReadOnlyList<ModelTensor> Gradients { get; }

    /// <summary>Opens the debug state of a checkpoint.</summary>
    /// <param name="path">The file.</param>
    /// <param name="config">The model that it is of.</param>
    /// <param name="paddedVocabulary">Rows of its token table in llm.c, e.g. 50304.</param>
    /// <exception cref="NanoException">The file is missing or unreadable.</exception>
    /// <exception cref="BadFileException">The file is malformed or of another model.</exception>
    public static LlmcDebugState Open(string path, Gpt2Config config, int paddedVocabulary)
    {
        var file = new BinaryFile(path, "check the path; it should be a debug state of llm.c");
        try
        {
            return new LlmcDebugState(file, config, paddedVocabulary);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private T[] Numbers<T>(long offset, int count) where T : unmanaged
    {
        var numbers = new T[count];
        file.Copy(offset, MemoryMarshal.AsBytes(numbers.AsSpan()));
        return numbers;
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => file.Dispose();
}
