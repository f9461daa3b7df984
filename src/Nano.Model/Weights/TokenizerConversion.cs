using System.Text;

namespace Nano;

/// <summary>
/// Takes a tokenizer and a chat template along from one format to another, as far as the other has
/// a form for them.
/// </summary>
internal static class TokenizerConversion
{
    /// <summary>
    /// The tokenizer that a model brings, to be written in another format; null where there is
    /// none, or with a note where it cannot be read.
    /// </summary>
    public static ITokenizer? Open(ModelSource source, List<string> notes)
    {
        if (source.TokenizerPath is not { } path)
            return null;
        try
        {
            return TokenizerLoader.Load(path);
        }
        catch (BadFileException e)
        {
            notes.Add($"the tokenizer stays behind: {e.Message}");
            return null;
        }
    }

    /// <summary>Adds tokenizer and chat template to new GGUF metadata.</summary>
    public static void ToGguf(ModelSource source, GgufMetadata metadata, List<string> notes)
    {
        if (source.ChatTemplate is { } template)
            metadata.Set(GgufModel.ChatTemplate, template);
        if (Open(source, notes) is not { } tokenizer)
            return;
        if (tokenizer.VocabSize > source.Config.VocabSize)
            throw new BadFileException(source.TokenizerPath!,
                $"the tokenizer has {tokenizer.VocabSize} tokens and the model {source.Config.VocabSize}");
        if (GgufTokenizer.Refusal(tokenizer) is { } reason)
            notes.Add($"the tokenizer stays behind: {reason}");
        else
            GgufTokenizer.Write(tokenizer, source.Config.VocabSize, metadata);
    }

    /// <summary>Writes tokenizer.json and chat_template.jinja into a model folder.</summary>
    public static void ToFolder(ModelSource source, string folder, List<string> notes)
    {
        if (source.ChatTemplate is { } template)
            AtomicFile.Write(Path.Combine(folder, ModelDirectory.ChatTemplateFile),
                stream => stream.Write(Encoding.UTF8.GetBytes(template)));
        if (Open(source, notes) is not { } tokenizer)
            return;
        try
        {
            tokenizer.Save(Path.Combine(folder, "tokenizer.json"));
        }
        catch (NanoException e)
        {
            notes.Add($"the tokenizer stays behind: {e.Message}");
        }
    }
}
