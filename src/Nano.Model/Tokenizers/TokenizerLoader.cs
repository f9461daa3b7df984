namespace Nano;

/// <summary>Opens any tokenizer: by name, from a file of any known format, or from a model's folder.</summary>
public static class TokenizerLoader
{
    /// <summary>Opens a tokenizer.</summary>
    /// <param name="pathOrName">A tokenizer file, or the folder of a model or run.</param>
    /// <exception cref="NanoException">There is none.</exception>
    /// <exception cref="BadFileException">The file is malformed or of an unknown kind.</exception>
    public static ITokenizer Load(string pathOrName) =>
        CharTokenizer.Load(File.Exists(pathOrName) ? pathOrName : Path.Combine(ModelDirectory.Resolve(pathOrName), "tokenizer.json"));
}
