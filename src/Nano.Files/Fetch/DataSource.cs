using System.Text.Json;

namespace Nano;

/// <summary>The use of a source.</summary>
public enum DataKind
{
    /// <summary>One file of text to train on.</summary>
    Corpus,

    /// <summary>The files of a tokenizer.</summary>
    Vocabulary,
}

/// <summary>A file as its publisher has it.</summary>
/// <param name="Name">The path in the data folder, with forward slashes.</param>
/// <param name="Url">Its public address.</param>
/// <param name="Bytes">Its exact size.</param>
/// <param name="Sha256">Its digest, in hexadecimal.</param>
public sealed record DataFile(string Name, Uri Url, long Bytes, string Sha256);

/// <summary>A named corpus or vocabulary that `nano data NAME` can fetch.</summary>
/// <param name="Name">The name for users.</param>
/// <param name="Kind">The use.</param>
/// <param name="Description">One line.</param>
/// <param name="Licence">The terms it comes under.</param>
/// <param name="Files">Its files; a corpus has exactly one.</param>
public sealed record DataSource(string Name, DataKind Kind, string Description, string Licence,
    IReadOnlyList<DataFile> Files)
{
    /// <summary>The sources that data/sources.json lists; the file is built into the program.</summary>
    public static IReadOnlyList<DataSource> Known { get; } = ReadKnown();

    private static DataSource[] ReadKnown()
    {
        using var json = typeof(DataSource).Assembly.GetManifestResourceStream("sources.json")!;
        using var document = JsonDocument.Parse(json);
        return [.. document.RootElement.EnumerateArray().Select(source => new DataSource(
            Text(source, "name"),
            Enum.Parse<DataKind>(Text(source, "kind"), ignoreCase: true),
            Text(source, "description"),
            Text(source, "licence"),
            [.. source.GetProperty("files").EnumerateArray().Select(ReadFile)]))];
    }

    private static DataFile ReadFile(JsonElement file) =>
        new(Text(file, "name"), new Uri(Text(file, "url")), file.GetProperty("bytes").GetInt64(), Text(file, "sha256"));

    private static string Text(JsonElement element, string property) => element.GetProperty(property).GetString()!;
}
