using System.Text;

namespace Nano.Cli;

/// <summary>The tokens of a text that a model is measured on.</summary>
internal static class TextIds
{
    /// <summary>The ids of a text file, behind the id with which texts begin, or of a file of tokens; and the bytes of
    /// the text.</summary>
    public static (int[] Ids, long Bytes) Read(string path, ITokenizer tokenizer)
    {
        if (TrainingData.AreTokens(path))
            return TokenFiles.ReadAll(path, tokenizer);
        string text = CorpusStore.LoadFile(path).Text;
        return (tokenizer.BeginId is { } begin ? [begin, .. tokenizer.Encode(text)]
            : tokenizer.Encode(text), Encoding.UTF8.GetByteCount(text));
    }
}
