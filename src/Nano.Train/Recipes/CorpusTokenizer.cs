namespace Nano;

/// <summary>The tokenizer of a run: named on the command line, or what the preset takes if none is.</summary>
public static class CorpusTokenizer
{
    /// <summary>The name of the tokenizer whose vocabulary is the characters of the text that is trained on.</summary>
    public const string Characters = "characters";

    /// <summary>
    /// Opens what is named (see <see cref="TokenizerLoader.Load"/>), or else the default of the
    /// options; null stands for <see cref="Characters"/>.
    /// </summary>
    /// <exception cref="NanoException">There is no such tokenizer, or neither a name nor a default.</exception>
    /// <exception cref="BadFileException">The file is malformed or of an unknown kind.</exception>
    public static ITokenizer? Load(string? name, TrainOptions options)
    {
        return Load(name ?? options.DefaultTokenizer ?? throw new NanoException(
            $"the preset '{options.Preset}' needs a `tokenizer` of at most {options.Model.VocabSize} tokens",
            "for example Llama-2's tokenizer.model, or what this makes: nano tokenize train `vocab` 4096 `out` "
                + $"tokenizer.json TEXT; `tokenizer` {Characters} trains on characters"));
    }

    /// <summary>Opens what is named; null stands for <see cref="Characters"/>.</summary>
    /// <exception cref="NanoException">There is no such tokenizer.</exception>
    /// <exception cref="BadFileException">The file is malformed or of an unknown kind.</exception>
    public static ITokenizer? Load(string name) => name == Characters ? null : TokenizerLoader.Load(name);
}
