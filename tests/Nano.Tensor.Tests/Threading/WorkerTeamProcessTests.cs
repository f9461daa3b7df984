using System.Diagnostics;

namespace Nano.Tests;

[Collection(AloneCollection.Name)]
public sealed class WorkerTeamProcessTests : IDisposable
{
    private const string Variable = "NANO_THREADS";
    private readonly string? before = Environment.GetEnvironmentVariable(Variable);

    public void Dispose() => Environment.SetEnvironmentVariable(Variable, before);

    [Theory]
    [InlineData("1", 1)]
    [InlineData("7", 7)]
    [InlineData("1024", 1024)]
    public void The_variable_sets_the_size(string value, int expected)
    {
        Environment.SetEnvironmentVariable(Variable, value);
        Assert.Equal(expected, WorkerTeam.DefaultSize());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    public void Without_the_variable_all_processors_are_used(string? value)
    {
        Environment.SetEnvironmentVariable(Variable, value);
        Assert.Equal(Environment.ProcessorCount, WorkerTeam.DefaultSize());
    }

    [Theory]
    [InlineData("0")]
    [InlineData("-2")]
    [InlineData("1025")]
    [InlineData("two")]
    [InlineData("1.5")]
    [InlineData("99999999999")]
    public void A_wrong_value_is_named_and_mended(string value)
    {
        Environment.SetEnvironmentVariable(Variable, value);
        var error = Assert.Throws<NanoException>(() => WorkerTeam.DefaultSize());
        Assert.Contains(Variable, error.Message);
        Assert.Contains($"'{value}'", error.Message);
        Assert.Contains("1 to 1024", error.Hint);
    }

    [Fact]
    public void Compute_takes_the_default_size()
    {
        Environment.SetEnvironmentVariable(Variable, "3");
        using var compute = new Compute();
        Assert.Equal(3, compute.Threads);
    }

    [Fact]
    public void Idle_workers_sleep()
    {
        using var compute = new Compute(4);
        var x = new Tensor(new Shape(1 << 20));
        for (int i = 0; i < 20; i++)
            _ = compute.SumOfSquares(x);
        Thread.Sleep(200);
        using var process = Process.GetCurrentProcess();
        var before = process.TotalProcessorTime;
        Thread.Sleep(300);
        process.Refresh();
        // Three spinning workers would take at least the 300 ms of one processor.
        Assert.InRange((process.TotalProcessorTime - before).TotalMilliseconds, 0, 120);
    }
}
