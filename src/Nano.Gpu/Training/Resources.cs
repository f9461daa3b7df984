namespace Nano;

/// <summary>Objects that are disposed together, in reverse order.</summary>
internal sealed class Resources : IDisposable
{
    private readonly Stack<IDisposable> all = new();

    public T Add<T>(T resource) where T : IDisposable
    {
        all.Push(resource);
        return resource;
    }

    public void Dispose()
    {
        while (all.TryPop(out var resource))
            resource.Dispose();
    }
}
