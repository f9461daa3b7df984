using System.Buffers.Binary;

namespace Nano;

/// <summary>
/// A question of an <see cref="LlmcEvalFile"/>: the beginning of a text and its possible
/// completions, as ids.
/// </summary>
/// <param name="Context">The context of all completions; at least one id.</param>
/// <param name="Completions">At least two of at least one id each.</param>
/// <param name="Label">Index of the right one.</param>
public sealed record TokenChoices(int[] Context, IReadOnlyList<int[]> Completions, int Label);

/// <summary>
/// Multiple-choice questions as llm.c's dev/data scripts write them, e.g. for HellaSwag (format:
/// its data_common.py, write_evalfile): 256 int32 of header (magic, version, number of examples,
/// bytes of the longest), then the examples as uint16: 65535, the example's bytes, its index, the
/// label, the number of completions, the length of the context and its tokens, and for each
/// completion its length and tokens. The file is mapped, and checked from end to end when it is
/// opened.
/// </summary>
public sealed class LlmcEvalFile : IDisposable
{
    private const int Magic = 20240522, Version = 1, HeaderBytes = 256 * sizeof(int), Start = ushort.MaxValue;

    /// <summary>The number of uint16 in front of a context's tokens, and the fewest that an example has.</summary>
    private const int FieldsBeforeContext = 6, FewestFields = FieldsBeforeContext + 1 + (2 * 2);

    private readonly BinaryFile file;
    private readonly long[] offsets;

    /// <summary>Opens and checks a file.</summary>
    /// <exception cref="NanoException">The file is missing or unreadable.</exception>
    /// <exception cref="BadFileException">The file is malformed; the message says where.</exception>
    public LlmcEvalFile(string path)
    {
        file = new BinaryFile(path,
            "check the path; it should be an evaluation file of llm.c, such as hellaswag_val.bin");
        try
        {
            offsets = new long[CheckedCount()];
            CheckExamples();
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Number of questions.</summary>
    public int Count => offsets.Length;

    /// <summary>A question, read from the file.</summary>
    public TokenChoices this[int index]
    {
        get
        {
            long at = offsets[index];
            int label = Field(at, 3);
            int[][] completions = new int[Field(at, 4)][];
            int[] context = Tokens(ref at, 5);
            for (int i = 0; i < completions.Length; i++)
                completions[i] = Tokens(ref at, 0);
            return new TokenChoices(context, completions, label);
        }
    }

    /// <summary>The number of examples in the header, if the file can hold that many.</summary>
    private int CheckedCount()
    {
        if (file.Int32(0) != Magic)
            throw file.Bad($"it starts with {file.Int32(0)}; an evaluation file of llm.c starts with {Magic}");
        if (file.Int32(4) != Version)
            throw file.Bad($"it is version {file.Int32(4)} of llm.c's evaluation files; supported: {Version}");
        int count = file.Int32(8);
        long most = Math.Min(Start, Math.Max(0, file.Length - HeaderBytes) / (FewestFields * sizeof(ushort)));
        return count >= 1 && count <= most ? count
            : throw file.Bad($"the header has {count} examples; a file of {file.Length} bytes holds from 1 to {most}");
    }

    private void CheckExamples()
    {
        long at = HeaderBytes;
        int longest = 0;
        for (int i = 0; i < offsets.Length; i++)
        {
            int bytes = CheckExample(at, i);
            longest = Math.Max(longest, bytes);
            offsets[i] = at;
            at += bytes;
        }
        if (at != file.Length)
            throw file.Bad($"the last example ends at byte {at}, the file at {file.Length}");
        if (file.Int32(12) != longest)
            throw file.Bad($"the longest example has {longest} bytes, by the header {file.Int32(12)}");
    }

    /// <summary>Checks the example at an offset and returns its length in bytes.</summary>
    private int CheckExample(long at, int index)
    {
        var fields = file.Slice(at, FieldsBeforeContext * sizeof(ushort));
        int start = Value(fields, 0), bytes = Value(fields, 1), label = Value(fields, 3),
            completions = Value(fields, 4);
        if (start != Start)
            throw Bad(index, at, $"it starts with {start}, not {Start}");
        if (bytes % sizeof(ushort) != 0 || bytes < FewestFields * sizeof(ushort))
            throw Bad(index, at, $"it has {bytes} bytes; expected an even number from {FewestFields * sizeof(ushort)}");
        if (Value(fields, 2) != index)
            throw Bad(index, at, $"its index is {Value(fields, 2)}");
        if (completions < 2)
            throw Bad(index, at, $"it has {completions} completions; expected 2 or more");
        if (label >= completions)
            throw Bad(index, at, $"its label is {label}, with {completions} completions");
        var values = file.Slice(at, bytes);
        int count = bytes / sizeof(ushort), next = FieldsBeforeContext - 1;
        for (int list = 0; list <= completions; list++)
        {
            string name = list == 0 ? "its context" : $"completion {list - 1}";
            int length = next < count ? Value(values, next)
                : throw Bad(index, at, $"its {bytes} bytes end before {name}");
            if (length == 0 || length > count - next - 1)
                throw Bad(index, at, $"{name} has {length} tokens; expected from 1 to {count - next - 1}");
            for (int i = next + 1; i <= next + length; i++)
                if (Value(values, i) == Start)
                    throw Bad(index, at, $"{name} has the token {Start}, which begins an example");
            next += 1 + length;
        }
        return next == count ? bytes
            : throw Bad(index, at, $"its completions take {next * sizeof(ushort)} bytes, by its beginning {bytes}");
    }

    private BadFileException Bad(int index, long at, string problem) =>
        file.Bad($"example {index} at byte {at}: {problem}");

    private static int Value(ReadOnlySpan<byte> values, int index) =>
        BinaryPrimitives.ReadUInt16LittleEndian(values[(index * sizeof(ushort))..]);

    private int Field(long at, int index) => Value(file.Slice(at + (index * sizeof(ushort)), sizeof(ushort)), 0);

    /// <summary>
    /// A list of tokens that follows its length, which is this many fields on; moves to its end.
    /// </summary>
    private int[] Tokens(ref long at, int fields)
    {
        int[] tokens = new int[Field(at, fields)];
        var values = file.Slice(at + ((fields + 1) * sizeof(ushort)), tokens.Length * sizeof(ushort));
        for (int i = 0; i < tokens.Length; i++)
            tokens[i] = Value(values, i);
        at += (fields + 1 + tokens.Length) * sizeof(ushort);
        return tokens;
    }

    /// <inheritdoc/>
    public void Dispose() => file.Dispose();
}
