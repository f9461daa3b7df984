namespace Nano;

/// <summary>
/// Work that is handed in and taken out in one order and done in any: by threads of its own, one
/// less than were asked for, and by the caller whenever it would only wait. At most a fixed number
/// of items are under way, so memory is bounded.
/// </summary>
/// <typeparam name="T">An item, which holds its own result.</typeparam>
internal sealed class OrderedWork<T> : IDisposable where T : class
{
    private const int ItemsPerThread = 4;

    private readonly Lock gate = new();
    private readonly SemaphoreSlim available = new(0);
    private readonly Queue<Item> waiting = new(), order = new();
    private readonly Thread[] threads;
    private readonly Action<T> work, done;
    private readonly int most;
    private bool disposed;

    private sealed class Item(T value)
    {
        public T Value => value;

        public ManualResetEventSlim Finished { get; } = new();

        public Exception? Error { get; set; }
    }

    /// <param name="threads">Threads that work, the caller's included.</param>
    /// <param name="work">Done with each item on some thread.</param>
    /// <param name="done">Done with each item in order, on the caller's thread.</param>
    public OrderedWork(int threads, Action<T> work, Action<T> done)
    {
        (this.work, this.done, most) = (work, done, ItemsPerThread * threads);
        this.threads = new Thread[threads - 1];
        for (int i = 0; i < this.threads.Length; i++)
        {
            this.threads[i] = new Thread(Loop) { IsBackground = true, Name = "nano encode" };
            this.threads[i].Start();
        }
    }

    /// <summary>
    /// Hands an item in; may first work on others and take finished ones out. Throws what the work
    /// on the first that failed threw.
    /// </summary>
    public void Add(T value)
    {
        while (order.Count > 0 && (order.Count >= most || order.Peek().Finished.IsSet))
            TakeOut();
        var item = new Item(value);
        order.Enqueue(item);
        lock (gate)
            waiting.Enqueue(item);
        available.Release();
    }

    /// <summary>Takes out all that is left.</summary>
    public void Complete()
    {
        while (order.Count > 0)
            TakeOut();
    }

    private void TakeOut()
    {
        var first = order.Dequeue();
        while (!first.Finished.IsSet && available.Wait(0))
            WorkOnNext();
        first.Finished.Wait();
        first.Finished.Dispose();
        if (first.Error is not null)
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(first.Error);
        done(first.Value);
    }

    private void Loop()
    {
        while (true)
        {
            available.Wait();
            if (!WorkOnNext())
                return;
        }
    }

    private bool WorkOnNext()
    {
        Item? item;
        lock (gate)
            if (disposed || !waiting.TryDequeue(out item))
                return false;
        try
        {
            work(item.Value);
        }
        catch (Exception e) // is thrown where the item is taken out
        {
            item.Error = e;
        }
        item.Finished.Set();
        return true;
    }

    /// <summary>Ends the threads, whatever is left to do.</summary>
    public void Dispose()
    {
        lock (gate)
            disposed = true;
        available.Release(threads.Length + 1);
        foreach (var thread in threads)
            thread.Join();
        available.Dispose();
    }
}
