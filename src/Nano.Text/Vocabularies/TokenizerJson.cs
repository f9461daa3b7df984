using System.Text.Json;

namespace Nano;

/// <summary>
/// Hugging Face's tokenizer.json. What it says is run as their library runs it, by <see cref="PipelineTokenizer"/>, or
/// by a faster tokenizer that makes the same ids. A component that is not known here is an error that names it: another
/// program would make other ids of the same text.
/// </summary>
internal static class TokenizerJson
{
    private const int MaxBytes = 1 << 26;

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="config">The special tokens at the ends of a text, from the files beside
    /// it.</param>
    /// <exception cref="BadFileException">It is malformed or has an unknown component.</exception>
    public static ITokenizer Load(string path, TokenizerConfig config)
    {
        using var document = InputFile.ReadJson(path, MaxBytes, TokenizerLoader.Hint);
        try
        {
            return CharTokenizerJson.Describes(document.RootElement) ? CharTokenizer.Load(path)
                : Read(document.RootElement, path, config, fast: true);
        }
        catch (InvalidOperationException e) // an escaped half of a surrogate pair
        {
            throw new BadFileException(path, $"a string is not valid Unicode: {e.Message}", e);
        }
    }

    /// <summary>Makes a tokenizer of a document.</summary>
    /// <param name="root">The document.</param>
    /// <param name="path">Its file.</param>
    /// <param name="config">The special tokens at the ends of a text, from the files beside
    /// it.</param>
    /// <param name="fast">Whether a faster tokenizer with the same ids is wanted where there is one.</param>
    /// <exception cref="BadFileException">It is malformed or has an unknown component.</exception>
    internal static ITokenizer Read(JsonElement root, string path, TokenizerConfig config, bool fast)
    {
        try
        {
            return Create(root, Pipeline.Read(root, path), path, config, fast);
        }
        catch (NanoException e) // the normalizer of an added token
        {
            throw new BadFileException(path, e.Message, e);
        }
    }

    private static ITokenizer Create(JsonElement root, Pipeline pipeline, string path, TokenizerConfig config,
        bool fast)
    {
        var added = pipeline.Added.Tokens;
        int size = pipeline.VocabSize;
        int? begin = config.BeginId(new AddedTokens(added), pipeline.TemplateBegin is { } id && id < size ? id : null);
        var ends = config.EndIds(added, size);
        if (fast && FastForm.Of(pipeline, begin, ends, path) is { } faster)
            return faster;
        string? token = begin is { } first ? pipeline.TokenOf(first) : null;
        return new PipelineTokenizer(pipeline,
            PipelineWriter.Write(root, pipeline.TemplateBegin, token is null ? null : begin, token), begin, ends);
    }
}
