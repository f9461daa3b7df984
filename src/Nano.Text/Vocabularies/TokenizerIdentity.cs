using System.Security.Cryptography;
using System.Text;

namespace Nano;

/// <summary>Comparison of tokenizers: a digest, and the first id that differs.</summary>
public static class TokenizerIdentity
{
    /// <summary>
    /// SHA-256 of the tokenizer.json that a tokenizer writes, in lower-case hexadecimal: tells
    /// whether two runs had the same one.
    /// </summary>
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

    /// <summary>
    /// The first id that means one text in data and another to a model, for people; null if all
    /// mean the same.
    /// </summary>
    /// <param name="data">The tokenizer that made the ids.</param>
    /// <param name="model">The model's.</param>
    public static string? DifferenceInIds(ITokenizer data, ITokenizer model)
    {
        if (data.VocabSize != model.VocabSize)
            return $"it has {data.VocabSize} ids, the model's {model.VocabSize}";
        for (int id = 0; id < model.VocabSize; id++)
            if (!data.BytesOf(id).SequenceEqual(model.BytesOf(id)))
                return $"its id {id} is {Quoted.Of(Encoding.UTF8.GetString(data.BytesOf(id)))}, the model's "
                    + $"{Quoted.Of(Encoding.UTF8.GetString(model.BytesOf(id)))}";
        return null;
    }
}
