using System.Runtime.InteropServices;

namespace Nano.Tests.Formats;

/// <summary>
/// Questions written by the format's description (llm.c, dev/data/data_common.py), and every way to
/// get them wrong.
/// </summary>
public class LlmcEvalFileTests
{
    static ushort[] Example(int index, int label, ushort[] context, params ushort[][] completions)
    {
        List<ushort> example = [65535, 0, (ushort)index, (ushort)label, (ushort)completions.Length,
            (ushort)context.Length, .. context];
        foreach (var completion in completions)
            example.AddRange([(ushort)completion.Length, .. completion]);
        example[1] = (ushort)(2 * example.Count);
        return [.. example];
    }

    static readonly ushort[] First = Example(0, 2, [464, 3290], [373], [1, 2, 3], [50256, 65534], [9, 9]),
        Second = Example(1, 0, [7], [5], [6]);

    static byte[] File(int[] header, params ushort[][] examples)
    {
        int[] whole = new int[256];
        header.CopyTo(whole, 0);
        return [.. MemoryMarshal.AsBytes(whole.AsSpan()),
            .. MemoryMarshal.AsBytes<ushort>(examples.SelectMany(example => example).ToArray())];
    }

    static readonly byte[] Good = File([20240522, 1, 2, 2 * First.Length], First, Second);

    static void Refused(byte[] bytes, params string[] words)
    {
        using var temp = new TempFolder();
        string path = temp.File("questions.bin");
        System.IO.File.WriteAllBytes(path, bytes);
        var e = Assert.Throws<BadFileException>(() => new LlmcEvalFile(path));
        Assert.Equal(path, e.Path);
        Assert.All(words, word => Assert.Contains(word, e.Message, StringComparison.Ordinal));
    }

    /// <summary>The good file with one uint16 behind the header changed.</summary>
    static byte[] With(int position, ushort value)
    {
        byte[] bytes = [.. Good];
        BitConverter.GetBytes(value).CopyTo(bytes, 1024 + (2 * position));
        return bytes;
    }

    [Fact]
    public void Questions_are_read_as_they_were_written()
    {
        using var temp = new TempFolder();
        System.IO.File.WriteAllBytes(temp.File("questions.bin"), Good);
        using var file = new LlmcEvalFile(temp.File("questions.bin"));
        Assert.Equal(2, file.Count);
        for (int again = 0; again < 2; again++)
        {
            var (first, second) = (file[0], file[1]);
            Assert.Equal([464, 3290], first.Context);
            Assert.Equal([[373], [1, 2, 3], [50256, 65534], [9, 9]], first.Completions);
            Assert.Equal([7], second.Context);
            Assert.Equal((2, 0), (first.Label, second.Label));
            Assert.Equal([[5], [6]], second.Completions);
        }
    }

    [Fact]
    public void A_wrong_header_is_refused()
    {
        Refused([], "ends at byte 0");
        Refused(Good[..1000], "from 1 to 0");
        Refused(File([20240520, 1, 2, 38], First, Second), "it starts with 20240520", "20240522");
        Refused(File([20240522, 2, 2, 38], First, Second), "version 2");
        Refused(File([20240522, 1, 0, 38]), "0 examples");
        Refused(File([20240522, 1, -1, 38], First), "-1 examples");
        Refused(File([20240522, 1, int.MaxValue, 38], First), "2147483647 examples");
        Refused(File([20240522, 1, 2, 42], First, Second), "the longest example has 40 bytes, by the header 42");
        Refused(File([20240522, 1, 1, 2 * First.Length], First, Second), "the last example ends at byte");
    }

    // First: 65535, bytes, index, label, completions, 2, 464, 3290, 1, 373, 3, 1, 2, 3, 2, 50256, 65534, 2, 9, 9.
    [Theory]
    [InlineData(0, 65534, "example 0 at byte 1024", "starts with 65534")]
    [InlineData(1, 0, "it has 0 bytes")]
    [InlineData(1, 41, "it has 41 bytes")]
    [InlineData(1, 38, "completion 3 has 2 tokens; expected from 1 to 1")]
    [InlineData(1, 42, "its completions take 40 bytes, by its beginning 42")]
    [InlineData(1, 65534, "the file ends at byte")]
    [InlineData(2, 1, "its index is 1")]
    [InlineData(3, 4, "its label is 4, with 4 completions")]
    [InlineData(4, 1, "it has 1 completions")]
    [InlineData(4, 3, "its completions take 34 bytes, by its beginning 40")]
    [InlineData(4, 5, "its 40 bytes end before completion 4")]
    [InlineData(5, 0, "its context has 0 tokens")]
    [InlineData(5, 14, "its 40 bytes end before")]
    [InlineData(5, 15, "its context has 15 tokens; expected from 1 to 14")]
    [InlineData(6, 65535, "its context has the token 65535")]
    [InlineData(8, 0, "completion 0 has 0 tokens")]
    [InlineData(8, 60000, "completion 0 has 60000 tokens; expected from 1 to 11")]
    [InlineData(15, 65535, "completion 2 has the token 65535")]
    [InlineData(20, 1, "example 1 at byte 1064", "starts with 1")]
    public void A_wrong_number_is_refused_with_its_place(int position, ushort value, params string[] words) =>
        Refused(With(position, value), words);

    [Fact]
    public void A_file_that_is_cut_anywhere_is_refused()
    {
        for (int length = 0; length < Good.Length; length++)
            Refused(Good[..length]);
        Refused([.. Good, 0, 0], "the last example ends at byte");
    }

    [Fact]
    public void A_missing_file_is_an_error_for_people() =>
        Assert.Contains("no file", Assert.Throws<NanoException>(() => new LlmcEvalFile("no-such.bin")).Message,
            StringComparison.Ordinal);
}
