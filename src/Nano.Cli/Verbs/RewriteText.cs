using System.Diagnostics;

namespace Nano.Cli;

/// <summary>nano generate with a model that reads one text and writes another.</summary>
internal static class RewriteText
{
    public static int Run(TextRewriter rewriter, string[] prompts, int maxTokens, Compute compute, bool json)
    {
        if (prompts.Length == 0)
            throw new NanoException("this model writes about a text that it reads", "give the text with --prompt");
        var human = Common.Human(json);
        List<JsonFields> rows = [];
        long start = Stopwatch.GetTimestamp(), written = 0;
        foreach (string prompt in prompts)
        {
            var made = rewriter.Rewrite(compute, prompt, maxTokens);
            if (made.IsCut)
                Screen.Error.WriteLine($"note: the text is too long; {made.Source.Length} of its tokens are read");
            human.WriteLine(made.Text);
            written += made.Ids.Count;
            rows.Add(new()
            {
                ["prompt_ids"] = made.Source,
                ["ids"] = made.Ids,
                ["text"] = made.Text,
                ["finish_reason"] = made.IsEnded ? "stop" : "length",
            });
        }
        if (json)
        {
            var fields = rows.Count == 1 ? rows[0] : new() { ["rows"] = rows };
            fields["tokens_per_second"] = Common.Finite(written / Stopwatch.GetElapsedTime(start).TotalSeconds);
            Common.PrintJson(fields);
        }
        return 0;
    }
}
