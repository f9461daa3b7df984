using System.Text;

namespace Nano;

/// <summary>A stretch of a document in an <see cref="EncodeJob"/>.</summary>
/// <param name="Start">The start of its text.</param>
/// <param name="Length">Of its text.</param>
/// <param name="Begins">Whether the document begins here.</param>
/// <param name="Validation">Whether it goes to the validation split.</param>
/// <param name="Dropped">Bytes of text that follow it and that the next stretch's encoding puts back.</param>
/// <param name="Where">File and line, for errors.</param>
internal readonly record struct Stretch(int Start, int Length, bool Begins, bool Validation, int Dropped, string Where);

/// <summary>Some text that one thread makes ids of.</summary>
internal sealed class EncodeJob(ITokenizer tokenizer)
{
    private char[] text = new char[JobBuilder.Characters + (JobBuilder.Characters / 4)];

    /// <summary>Characters so far.</summary>
    public int Length { get; private set; }

    /// <summary>The stretches that make up the text.</summary>
    public List<Stretch> Stretches { get; } = [];

    /// <summary>The ids of each stretch, and the bytes of its text in UTF-8.</summary>
    public List<(int[] Ids, long Bytes)> Results { get; } = [];

    /// <summary>All text so far.</summary>
    public ReadOnlySpan<char> Text => text.AsSpan(0, Length);

    /// <summary>Adds text.</summary>
    public void Append(ReadOnlySpan<char> more)
    {
        if (text.Length - Length < more.Length)
            Array.Resize(ref text, Math.Max(2 * text.Length, Length + more.Length));
        more.CopyTo(text.AsSpan(Length));
        Length += more.Length;
    }

    /// <summary>Takes text away from the end.</summary>
    public void CutTo(int length) => Length = length;

    /// <summary>Forgets everything but its memory, unless that is unusually much.</summary>
    public void Clear()
    {
        Length = 0;
        Stretches.Clear();
        Results.Clear();
        if (text.Length > 4 * JobBuilder.Characters)
            text = new char[JobBuilder.Characters + (JobBuilder.Characters / 4)];
    }

    /// <summary>Makes the ids.</summary>
    /// <exception cref="NanoException">The tokenizer cannot express something; the message says where.</exception>
    public void Run()
    {
        foreach (var stretch in Stretches)
        {
            var part = text.AsSpan(stretch.Start, stretch.Length);
            try
            {
                Results.Add((tokenizer.Encode(part), Encoding.UTF8.GetByteCount(part) + stretch.Dropped));
            }
            catch (NanoException e)
            {
                throw new NanoException($"{stretch.Where}: {e.Message}", e.Hint, e);
            }
        }
    }
}
