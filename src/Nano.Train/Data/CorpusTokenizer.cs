using System.Security.Cryptography;
using System.Text;

namespace Nano;

/// <summary>The tokenizer of a run: named on the command line, or what the preset takes if none is.</summary>
public static class CorpusTokenizer
{
    /// <summary>The name of the tokenizer whose vocabulary is the characters of the text that is trained on.</summary>
    public const string Characters = "characters";

    /// <summary>Opens what is named (see <see cref="TokenizerLoader.Load"/>), or else the default of the options; null stands for <see cref="Characters"/>.</summary>
    /// <exception cref="NanoException">There is no such tokenizer, or neither a name nor a default.</exception>
    /// <exception cref="BadFileException">The file is malformed or of an unknown kind.</exception>
    public static ITokenizer? Load(string? name, TrainOptions options)
    {
        return Load(name ?? options.DefaultTokenizer ?? throw new NanoException($"the preset '{options.Preset}' needs a --tokenizer of at most {options.Model.VocabSize} tokens",
            $"for example Llama-2's tokenizer.model, or what this makes: nano tokenize train --vocab 4096 --out tokenizer.json TEXT; '--tokenizer {Characters}' trains on characters"));
    }

    /// <summary>Opens what is named; null stands for <see cref="Characters"/>.</summary>
    /// <exception cref="NanoException">There is no such tokenizer.</exception>
    /// <exception cref="BadFileException">The file is malformed or of an unknown kind.</exception>
    public static ITokenizer? Load(string name) => name == Characters ? null : TokenizerLoader.Load(name);

    /// <summary>SHA-256 of the tokenizer.json that a tokenizer writes, in lower-case hexadecimal: tells whether two runs had the same one.</summary>
    /// <exception cref="NanoException">It cannot be written as tokenizer.json.</exception>
    public static string Sha256(ITokenizer tokenizer)
    {
        string path = Path.Combine(Path.GetTempPath(), $"nano-{Path.GetRandomFileName()}.json");
        tokenizer.Save(path);
        try
        {
            return Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)));
        }
        finally
        {
            File.Delete(path);
        }
    }

    /// <summary>The first id that means one text in data and another to a model, for people; null if all mean the same.</summary>
    /// <param name="data">The tokenizer that made the ids.</param>
    /// <param name="model">The model's.</param>
    public static string? DifferenceInIds(ITokenizer data, ITokenizer model)
    {
        if (data.VocabSize != model.VocabSize)
            return $"it has {data.VocabSize} ids, the model's {model.VocabSize}";
        for (int id = 0; id < model.VocabSize; id++)
            if (!data.BytesOf(id).SequenceEqual(model.BytesOf(id)))
                return $"its id {id} is {Quoted.Of(Encoding.UTF8.GetString(data.BytesOf(id)))}, the model's {Quoted.Of(Encoding.UTF8.GetString(model.BytesOf(id)))}";
        return null;
    }
}
