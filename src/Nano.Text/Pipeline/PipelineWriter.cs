using System.Text.Encodings.Web;
using System.Text.Json;

namespace Nano;

/// <summary>
/// Writes a tokenizer.json again as it was read, in one form, with the id that it puts in front of a text.
/// </summary>
internal static class PipelineWriter
{
    private static readonly JsonWriterOptions Options =
        new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The bytes of the file.</summary>
    /// <param name="root">The document.</param>
    /// <param name="templateBegin">The id that its post-processor puts in front of a text.</param>
    /// <param name="beginId">The id that it is to put there, or null.</param>
    /// <param name="begin">The token of that id.</param>
    public static byte[] Write(JsonElement root, int? templateBegin, int? beginId, string? begin)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, Options))
        {
            json.WriteStartObject();
            bool written = false;
            foreach (var property in root.EnumerateObject())
            {
                if (property.Name == "post_processor" && templateBegin != beginId)
                {
                    WriteProcessor(json, beginId, begin);
                    written = true;
                }
                else
                    property.WriteTo(json);
            }
            if (!written && templateBegin != beginId)
                WriteProcessor(json, beginId, begin);
            json.WriteEndObject();
        }
        stream.WriteByte((byte)'\n');
        return stream.ToArray();
    }

    private static void WriteProcessor(Utf8JsonWriter json, int? beginId, string? begin)
    {
        json.WritePropertyName("post_processor");
        if (beginId is { } id)
            TokenizerJsonWriter.WriteTemplate(json, begin!, id);
        else
            json.WriteNullValue();
    }
}
