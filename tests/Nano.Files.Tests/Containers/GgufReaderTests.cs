using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Nano.Tests.Formats;

public class GgufReaderTests
{
    /// <summary>What a Python reader found in the published files.</summary>
    static JsonElement Expected(string file) =>
        JsonDocument.Parse(File.ReadAllText(Goldens.Path("stories260K/gguf_info.json"))).RootElement.GetProperty(file);

    [Theory]
    [InlineData("stories260K/stories260K.gguf")]
    [InlineData("gguf/ggml-vocab-gpt-2.gguf")]
    [InlineData("gguf/ggml-vocab-llama-spm.gguf")]
    public void Metadata_and_tensors_are_those_of_the_reference(string name)
    {
        using var file = GgufReader.Open(PublicFiles.Path(name));
        JsonElement expected = Expected(name);
        Assert.Equal(expected.GetProperty("metadata").EnumerateObject().Select(pair => pair.Name), file.Metadata.Keys);
        foreach (JsonProperty pair in expected.GetProperty("metadata").EnumerateObject())
        {
            Assert.Equal(pair.Value.GetProperty("type").GetInt32(), (int)file.Metadata.TypeOf(pair.Name));
            AssertValue(pair.Value.GetProperty("value"), file.Metadata, pair.Name);
        }
        JsonElement[] tensors = [.. expected.GetProperty("tensors").EnumerateArray()];
        Assert.Equal(tensors.Select(tensor => tensor.GetProperty("name").GetString()), file.Tensors.Keys);
        foreach (JsonElement tensor in tensors)
        {
            GgufTensor found = file.Tensors[tensor.GetProperty("name").GetString()!];
            Assert.Equal(tensor.GetProperty("type").GetInt32(), (int)found.Type);
            Assert.Equal(tensor.GetProperty("dims").EnumerateArray().Select(size => size.GetInt64()).Reverse(),
                found.Shape);
            Assert.Equal(tensor.GetProperty("offset").GetInt64() + expected.GetProperty("data_starts_at").GetInt64(),
                found.Offset);
            byte[] bytes = new byte[found.Count * sizeof(float)];
            file.Copy(found.Offset, bytes);
            Assert.Equal(tensor.GetProperty("sha256").GetString(), Hex(bytes));
        }
    }

    static void AssertValue(JsonElement expected, GgufMetadata metadata, string key)
    {
        switch (metadata.TypeOf(key))
        {
            case GgufValueType.String: Assert.Equal(expected.GetString(), metadata.String(key)); break;
            case GgufValueType.UInt32: Assert.Equal(expected.GetInt64(), metadata.Integer(key)); break;
            case GgufValueType.Float32: Assert.Equal(expected.GetSingle(), metadata.Float(key)); break;
            case GgufValueType.Bool: Assert.Equal(expected.GetBoolean(), metadata.Bool(key)); break;
            case GgufValueType.Array:
                byte[] bytes = expected.GetProperty("first")[0].ValueKind == JsonValueKind.String
                    ? Encoding.UTF8.GetBytes(string.Join('\0', metadata.Strings(key)!))
                    : key.EndsWith("scores", StringComparison.Ordinal)
                    ? MemoryMarshal.AsBytes(metadata.Floats(key).AsSpan()).ToArray()
                    : MemoryMarshal.AsBytes(Array.ConvertAll(metadata.Integers(key)!, value => (int)value).AsSpan())
                        .ToArray();
                Assert.Equal(expected.GetProperty("sha256").GetString(), Hex(bytes));
                break;
            default: Assert.Fail($"{key} has the unexpected type {metadata.TypeOf(key)}"); break;
        }
    }

    static string Hex(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));
}
