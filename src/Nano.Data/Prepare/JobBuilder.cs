using System.Globalization;

namespace Nano;

/// <summary>
/// Divides documents among <see cref="EncodeJob"/>s of about equal size: many short ones make one,
/// and one long document makes several, cut where <see cref="TextCutter"/> says that no id changes.
/// What becomes a job depends on the text alone, not on threads.
/// </summary>
/// <param name="tokenizer">Makes the ids.</param>
/// <param name="full">Takes a finished job.</param>
internal sealed class JobBuilder(ITokenizer tokenizer, Action<EncodeJob> full)
{
    /// <summary>The number of characters with which a job is full.</summary>
    public const int Characters = 1 << 16;

    /// <summary>The most characters of a job whose text cannot be cut.</summary>
    private const int MostCharacters = 1 << 22;

    private readonly TextCutter cutter = new(tokenizer);
    private readonly Stack<EncodeJob> spare = new();
    private EncodeJob job = new(tokenizer);
    // where the open stretch begins; how long the job is when a cut is looked for
    private int start, tryAt = Characters;
    private bool begins;

    /// <summary>Adds a stretch of a document.</summary>
    /// <param name="stretch">Its text.</param>
    /// <param name="opens">Whether a document begins here.</param>
    /// <param name="closes">Whether it, or its part in this split, ends here.</param>
    /// <param name="validation">True for the validation split; does not change before
    /// <paramref name="closes"/>.</param>
    /// <param name="where">File and line, for errors.</param>
    /// <exception cref="NanoException">The text is long and can nowhere be cut.</exception>
    public void Add(ReadOnlySpan<char> stretch, bool opens, bool closes, bool validation, string where)
    {
        if (opens)
            (begins, start) = (true, job.Length);
        do
        {
            var now = stretch[..Math.Min(stretch.Length, Characters)];
            stretch = stretch[now.Length..];
            job.Append(now);
            if (job.Length >= tryAt && (stretch.Length > 0 || !closes))
                Cut(validation, where);
        }
        while (stretch.Length > 0);
        if (!closes)
            return;
        job.Stretches.Add(new Stretch(start, job.Length - start, begins, validation, 0, where));
        (begins, start) = (false, job.Length);
        if (job.Length >= Characters)
            Emit();
    }

    /// <summary>Hands over the last, unfilled job.</summary>
    public void Complete()
    {
        if (job.Stretches.Count > 0)
            Emit();
    }

    /// <summary>Takes a job that is done with.</summary>
    public void GiveBack(EncodeJob done)
    {
        done.Clear();
        spare.Push(done);
    }

    private void Cut(bool validation, string where)
    {
        var open = job.Text[start..];
        if (!cutter.TryFindLast(open, out int end, out int next))
        {
            tryAt = 2 * job.Length;
            if (open.Length >= MostCharacters)
                throw new NanoException(
                    string.Create(CultureInfo.InvariantCulture,
                        $"{where}: {open.Length:N0} characters have no place where this tokenizer surely cuts text, "
                        + $"such as the end of a word"),
                        "is this text? Divide it into documents (`format` sections or jsonl), or take a byte-level "
                        + "tokenizer such as gpt2");
            return;
        }
        char[] rest = open[next..].ToArray();
        job.Stretches.Add(new Stretch(start, end, begins, validation, next - end, where));
        job.CutTo(start + end);
        Emit();
        job.Append(rest);
        begins = false;
    }

    private void Emit()
    {
        full(job);
        job = spare.TryPop(out var other) ? other : new EncodeJob(tokenizer);
        (start, tryAt) = (0, Characters);
    }
}
