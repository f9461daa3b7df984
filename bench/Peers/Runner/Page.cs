using System.Diagnostics;
using System.Text;

namespace Nano.Peers;

/// <summary>The conditions of a run of comparisons.</summary>
/// <param name="Started">The time of its start.</param>
/// <param name="Turns">Turns of each contender.</param>
/// <param name="Load">The machine's load over the last minute at the start and at the end.</param>
/// <param name="Arguments">The options it was given.</param>
internal sealed record Conditions(DateTime Started, int Turns, (string Before, string After) Load, string Arguments);

/// <summary>The measured comparisons as Markdown.</summary>
internal static class Page
{
    private static readonly (string Group, string Title, string Compared)[] Groups =
    [
        ("train", "Training steps", "Whole steps from equal weights on equal batches: forward, cross-entropy, "
            + "backward, clipping of the norm to 1, AdamW with decay 0.1 of matrices. libtorch uses its fused "
            + "causal attention and its fused AdamW."),
        ("products", "Matrix products of GPT-2's layers at 256 tokens", "The same operands; both write into memory "
            + "that is there already. The first row of a thread count is the geometric mean of the ratios."),
        ("text", "Text from a GGUF file", "Both read the very same file, written and quantised by Nano, of random "
            + "weights: GPT-2 124M, and a Llama of 110 M parameters. Decoding makes the likeliest token each time; "
            + "reading ends with the logits behind the last token. Keys and values are F32, for F16 weights in "
            + "llama.cpp F16. There it rounds activations to F16 as well, Nano does not; beside quantised weights "
            + "both have activations in 8 bits, in other blocks: so ids may differ in all but F32."),
        ("tokens", "Text to ids", "One call on the whole text, one thread."),
    ];

    /// <summary>The page.</summary>
    /// <param name="family">The processor's family.</param>
    /// <param name="conditions">The conditions.</param>
    /// <param name="about">Descriptions of all contenders.</param>
    /// <param name="results">The measurements.</param>
    /// <param name="leftOut">Contenders without a result, each with its reason.</param>
    public static string Markdown(string family, Conditions conditions, IEnumerable<string> about,
        IReadOnlyList<Measured> results, IEnumerable<string> leftOut)
    {
        var page = new StringBuilder();
        page.Append($"# {Machine.CpuName()} ({family}): Nano beside other libraries\n\n");
        page.Append($"Written by `make bench-peers` on {conditions.Started:yyyy-MM-dd HH:mm} UTC; to repeat it: `make "
            + $"bench-peers{(conditions.Arguments.Length > 0 ? $" ARGS='{conditions.Arguments}'" : "")}`.\n\n");
        page.Append($"Each contender has a process of its own; the two take turns (Nano, peer, Nano, peer, "
            + $"{conditions.Turns} turns each, short work repeated\nfor 0.1 s a turn), wall time, medians. `Nano is` "
            + "is the median of the peer's time over Nano's, turn by turn, and in brackets the least\n"
            + "and the most: above 1 Nano is faster. Memory is the most that each process ever held. Results are "
            + "compared before anything is timed.\n\n");
        page.Append($"- load of the machine over the last minute: {conditions.Load.Before} at the start, "
            + $"{conditions.Load.After} at the end, this run included; {Environment.ProcessorCount} processors; .NET "
            + $"{Environment.Version}\n");
        foreach (string line in about.Order(StringComparer.Ordinal))
            page.Append($"- {line}\n");
        foreach (string line in leftOut)
            page.Append($"- left out: {line}\n");
        page.Append($"\n```\n{MachineInfo()}```\n");
        foreach (var (group, title, compared) in Groups)
            if (results.Where(result => result.Of.Group == group).ToArray() is { Length: > 0 } rows)
                Table(page, title, compared, rows);
        return page.ToString();
    }

    /// <summary>One result as a line of text.</summary>
    public static string Line(Measured result)
    {
        double[] ratios = result.Ratios;
        return $"{result.Of}: {Time(result.NanoMedian)} and {Time(result.PeerMedian)}, Nano is {result.Ratio:F2} x "
            + $"({ratios[0]:F2} to {ratios[^1]:F2}); {result.Agreed}; {result.Bytes.Nano / 1e9:F2} and "
            + $"{result.Bytes.Peer / 1e9:F2} GB";
    }

    private static void Table(StringBuilder page, string title, string compared, Measured[] rows)
    {
        string unit = rows[0].Of.Work?.Unit ?? "";
        page.Append($"\n## {title}\n\n{compared}\n\n");
        page.Append($"| work | threads | peer | Nano | peer | Nano {unit} | peer {unit} | Nano is | Nano GB | peer GB "
            + "| agreement |\n|---|---|---|---|---|---|---|---|---|---|---|\n");
        foreach (var many in rows.GroupBy(row => row.Of.Threads))
        {
            if (many.All(row => row.Of.IsPart))
                page.Append($"| **all {many.Count()}** | {many.Key} | {rows[0].Of.Peer.Name} | | | | | **"
                    + $"{Math.Exp(many.Average(row => Math.Log(row.Ratio))):F2} x** | | | |\n");
            foreach (var row in many)
            {
                double[] ratios = row.Ratios;
                double amount = row.Of.Work?.Amount ?? 0;
                page.Append($"| {row.Of.Name} | {row.Of.Threads} | {row.Of.Peer.Name} | {Time(row.NanoMedian)} | "
                    + $"{Time(row.PeerMedian)} | {amount / row.NanoMedian:N0} | {amount / row.PeerMedian:N0} | "
                    + $"{row.Ratio:F2} x ({ratios[0]:F2} to {ratios[^1]:F2}) | {row.Bytes.Nano / 1e9:F2} | "
                    + $"{row.Bytes.Peer / 1e9:F2} | {row.Agreed} |\n");
            }
        }
    }

    private static string Time(double seconds) => seconds < 1 ? $"{seconds * 1e3:F2} ms" : $"{seconds:F2} s";

    /// <summary>The output of <c>nano info</c>: ceilings and whatever else it measures.</summary>
    private static string MachineInfo()
    {
        string nano = Path.Combine("artifacts", "bin", "Nano.Cli", "release", "nano");
        if (!File.Exists(nano))
            return $"no {nano}: nothing is known about the machine\n";
        using var process = Process.Start(new ProcessStartInfo(nano, "info") { RedirectStandardOutput = true })!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return output.TrimEnd() + "\n";
    }
}
