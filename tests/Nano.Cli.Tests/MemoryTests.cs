using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>Memory of one process over many texts, by what the system says it has.</summary>
[Collection(nameof(TinyRun))]
public sealed class MemoryTests(TinyRun run) : IDisposable
{
    /// <summary>
    /// Compiled code and the collector's reserves settle within the first hundred; a text that stayed would
    /// cost more than this in the others.
    /// </summary>
    private const int Settled = 200, All = 700, Slack = 12_000_000;

    private readonly TempFolder temp = new();

    public void Dispose() => temp.Dispose();

    /// <summary>
    /// A conversation for each line, or one long one whose context of 16 tokens is full after two turns. Each
    /// answer is a line; the empty one after /reset is none.
    /// </summary>
    [Theory]
    [InlineData("to be\n/reset\n")]
    [InlineData("to be\n", "--drop-oldest")]
    public void It_does_not_grow_over_many_texts(string turn, params string[] more)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "memory is read from /proc");
        File.WriteAllText(temp.File("template"), "{% for m in messages %}{{ m.content }}{{ '\\n' }}{% endfor %}");
        using var program = Cli.Start(["chat", "--model", run.Folder, "--template", temp.File("template"),
            "--max-tokens", "4", "--threads", "1", .. more]);
        program.Write(string.Concat(Enumerable.Repeat(turn, Settled)));
        program.WaitForLines(Settled);
        long settled = program.ResidentBytes;
        program.Write(string.Concat(Enumerable.Repeat(turn, All - Settled)));
        program.WaitForLines(All);
        long grown = program.ResidentBytes - settled;
        Assert.True(grown < Slack, $"{grown:N0} bytes more after {All - Settled} further texts");
        program.Finish().Succeeds();
    }
}
