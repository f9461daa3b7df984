using System.IO.Enumeration;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Nano;

/// <summary>
/// The model that a run starts from instead of random weights: whatever <see cref="ModelLoader"/>
/// opens, with its tokenizer, configuration and chat template. Every tensor must be in the file; a
/// parameter is drawn at random only if its name is listed.
/// </summary>
public sealed class ModelStart : IDisposable
{
    private readonly ModelSource source;
    private readonly HashSet<string> drawn;

    private ModelStart(ModelSource source, ITokenizer? tokenizer, HashSet<string> drawn) =>
        (this.source, Tokenizer, this.drawn) = (source, tokenizer, drawn);

    /// <summary>The model's own tokenizer, or null if its file brings none.</summary>
    public ITokenizer? Tokenizer { get; }

    /// <summary>The model's chat template, a Jinja string, or null.</summary>
    public string? ChatTemplate => source.ChatTemplate;

    /// <summary>
    /// The model's configuration for training: without dropout, which is the recipe's business, and
    /// with every id that ends a text, also those that only the files of the tokenizer know.
    /// </summary>
    public ModelConfig Config => source.Config with
    {
        Dropout = 0,
        EosTokens = [.. source.Config.EosTokens.Union(Tokenizer?.EndIds ?? [])],
    };

    /// <summary>The dropout that the model's file names: published GPT-2 files say 0.1.</summary>
    public float DropoutOfFile => source.Config.Dropout;

    /// <summary>The parameters to draw at random, in the order of their declaration.</summary>
    public IReadOnlyList<string> Drawn => [.. source.Tensors.Select(tensor => tensor.Name).Where(drawn.Contains)];

    /// <summary>Opens a model without reading its weights.</summary>
    /// <param name="path">A model folder, a run, or a file; see <see cref="ModelLoader.FormatOf"/>.</param>
    /// <param name="tokenizer">The tokenizer to use instead of the model's own, or null. The
    /// model's own is then not opened.</param>
    /// <param name="reinit">Names of parameters to draw at random instead of reading them,
    /// separated by commas; * stands for any characters. Null for none.</param>
    /// <exception cref="NanoException">There is no model, or a name to draw matches no parameter.</exception>
    /// <exception cref="BadFileException">A file is damaged.</exception>
    public static ModelStart Open(string path, ITokenizer? tokenizer = null, string? reinit = null)
    {
        var source = ModelLoader.Open(path);
        try
        {
            var drawn = new HashSet<string>(StringComparer.Ordinal);
            foreach (string pattern in (reinit ?? "")
                .Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            {
                string[] matches = [.. source.Tensors.Select(tensor => tensor.Name)
                    .Where(name => FileSystemName.MatchesSimpleExpression(pattern, name, ignoreCase: false))];
                if (matches.Length == 0)
                    throw new NanoException(
                        $"no parameter of the model is called {Quoted.Of(pattern)}, so there is nothing to draw "
                        + "at random",
                        $"its parameters have names such as "
                        + $"{string.Join(", ", source.Tensors.Take(4).Select(tensor => tensor.Name))} and "
                        + $"{source.Tensors[^1].Name}");
                drawn.UnionWith(matches);
            }
            return new ModelStart(source, tokenizer
                ?? (source.TokenizerPath is { } file ? TokenizerLoader.Load(file) : null), drawn);
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Fills a model of this configuration: what is to be drawn is left as it is, all else is read
    /// as float32.
    /// </summary>
    /// <returns>SHA-256 of all parameters as float32 in the order of their declaration, in
    /// lower-case hexadecimal: two runs with the same one start alike.</returns>
    /// <exception cref="BadFileException">A weight that is read is not a finite number.</exception>
    public string LoadInto(LanguageModel model)
    {
        using var digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var (parameter, tensor) in model.Parameters.All.Zip(source.Tensors))
        {
            if (!drawn.Contains(tensor.Name))
                tensor.ReadFloat32(parameter.Data);
            if (parameter.Data.IndexOfAnyExceptInRange(float.MinValue, float.MaxValue) is >= 0 and var at)
                throw new BadFileException(source.Path,
                    $"element {at} of tensor '{tensor.Name}' is {parameter.Data[at]}; training cannot start from it");
            digest.AppendData(MemoryMarshal.AsBytes(parameter.Data));
        }
        return Convert.ToHexStringLower(digest.GetHashAndReset());
    }

    /// <summary>Closes the model's files.</summary>
    public void Dispose() => source.Dispose();
}
