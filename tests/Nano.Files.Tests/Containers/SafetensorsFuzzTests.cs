namespace Nano.Tests.Formats;

/// <summary>Mutated files are either read or refused with the readers' one exception.</summary>
public class SafetensorsFuzzTests
{
    const string Header = """
        {"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"h":{"dtype":"F16","shape":[3],"data_offsets":[16,22]},"e":{"dtype":"I16","shape":[0],"data_offsets":[22,22]},"i":{"dtype":"U64","shape":[1],"data_offsets":[22,30]}}
        """;

    static readonly string[] Tokens =
        ["{", "}", "[", "]", ",", ":", "\"", "null", "-1", "0", "1e9", "9223372036854775807", "\\ud800", "\"a\":", " ",
            "\0", "\u00ff", "BOOL", "F64"];

    [Fact]
    public void Twenty_thousand_mutations_are_read_or_refused()
    {
        using var folder = new TempFolder();
        string path = SafetensorsReaderTests.Make(folder, Header, new byte[30]);
        byte[] valid = File.ReadAllBytes(path);
        var random = new Random(20250101);
        int read = 0, refused = 0;
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 20_000; i++)
        {
            File.WriteAllBytes(path, Mutate(valid, random));
            try
            {
                ReadAll(path);
                read++;
            }
            catch (BadFileException)
            {
                refused++;
            }
        }
        Assert.True(read > 100 && refused > 10_000, $"{read} read, {refused} refused");
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 20_000L * 100_000);
    }

    static void ReadAll(string path)
    {
        using var file = SafetensorsReader.Open(path);
        foreach (SafetensorsEntry entry in file.Entries.Values)
        {
            try
            {
                if (entry.Type >= SafetensorsType.F16)
                    file.ReadFloat32(entry.Name, new float[entry.Count]);
                else
                    file.ReadInt64(entry.Name, new long[entry.Count]);
            }
            catch (BadFileException)
            {
                // A type that is neither an integer nor a supported float.
            }
        }
    }

    static byte[] Mutate(byte[] valid, Random random)
    {
        List<byte> bytes = [.. valid];
        for (int n = random.Next(1, 4); n > 0 && bytes.Count > 0; n--)
        {
            int at = random.Next(bytes.Count);
            int length = Math.Min(random.Next(1, 12), bytes.Count - at);
            switch (random.Next(7))
            {
                case 0: bytes[at] = (byte)random.Next(256); break;
                case 1: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                case 2: bytes.RemoveRange(at, length); break;
                case 3: bytes.InsertRange(at, bytes.GetRange(at, length)); break;
                case 4: bytes.RemoveRange(at, bytes.Count - at); break;
                case 5:
                    bytes.InsertRange(at,
                    System.Text.Encoding.Latin1.GetBytes(Tokens[random.Next(Tokens.Length)])); break;
                default: ReplaceDigit(bytes, random); break;
            }
            // keep the length prefix in step, so that deeper checks are reached
            if (random.Next(2) == 0 && bytes.Count >= 8)
                BitConverter.TryWriteBytes(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(bytes),
                    Math.Max(0L, bytes.Count - 38));
        }
        return [.. bytes];
    }

    static void ReplaceDigit(List<byte> bytes, Random random)
    {
        int[] digits = [.. Enumerable.Range(0, bytes.Count).Where(i => bytes[i] is >= (byte)'0' and <= (byte)'9')];
        if (digits.Length > 0)
            bytes[digits[random.Next(digits.Length)]] = (byte)random.Next('0', '9' + 1);
    }
}
