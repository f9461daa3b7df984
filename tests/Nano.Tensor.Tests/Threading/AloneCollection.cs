namespace Nano.Tests;

/// <summary>
/// Tests that look at the whole process (its environment, its processor time, its collections) run
/// while no other test does.
/// </summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class AloneCollection
{
    public const string Name = "alone";
}
