namespace Nano;

/// <summary>
/// A second copy of a run's weights, state and numbers, to return to. It is part of what a
/// checkpoint keeps, so that a run that was stopped anywhere returns to the same place as one that
/// was not, whichever checkpoints are on the disk.
/// </summary>
internal sealed class RunSnapshot : IDisposable
{
    private const string Prefix = "snapshot.", StepName = Prefix + "step", NumberPrefix = Prefix + "number.";

    private readonly Arena arena = new();
    private readonly List<(string Name, Tensor Live, Tensor Copy)> slots = [];

    /// <param name="model">The weights.</param>
    /// <param name="state">The other tensors of the run.</param>
    public RunSnapshot(LanguageModel model, IEnumerable<(string Name, Tensor Tensor)> state)
    {
        foreach (var (name, live) in model.Parameters.All.Select(parameter => (parameter.Name!, parameter))
            .Concat(state))
            slots.Add((Prefix + name, live, new Tensor(arena, live.Shape, live.Type)));
    }

    /// <summary>The tensors that a checkpoint stores.</summary>
    public IEnumerable<(string Name, Tensor Tensor)> State => slots.Select(slot => (slot.Name, slot.Copy));

    /// <summary>Copies the run as it is.</summary>
    public void Capture(RunState run)
    {
        foreach (var (_, live, copy) in slots)
            Copy(live, copy);
        var numbers = run.Numbers.Where(number => !IsOwn(number.Key)).ToList();
        run.Numbers.Clear();
        foreach (var (name, value) in numbers)
            (run.Numbers[name], run.Numbers[NumberPrefix + name]) = (value, value);
        run.Numbers[StepName] = run.Step;
    }

    /// <summary>Brings back what was copied.</summary>
    public void Restore(RunState run)
    {
        foreach (var (_, live, copy) in slots)
            Copy(copy, live);
        foreach (string name in run.Numbers.Keys.Where(name => !IsOwn(name)).ToList())
            run.Numbers.Remove(name);
        foreach (var (name, value) in run.Numbers
            .Where(number => number.Key.StartsWith(NumberPrefix, StringComparison.Ordinal)).ToList())
            run.Numbers[name[NumberPrefix.Length..]] = value;
        run.Step = (long)run.Numbers[StepName];
    }

    private static void Copy(Tensor from, Tensor to)
    {
        if (from.Type == DType.Int32)
            from.Ids.CopyTo(to.Ids);
        else
            to.CopyFrom(from);
    }

    private static bool IsOwn(string name) => name.StartsWith(Prefix, StringComparison.Ordinal);

    public void Dispose() => arena.Dispose();
}
