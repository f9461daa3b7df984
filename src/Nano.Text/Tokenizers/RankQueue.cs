namespace Nano;

/// <summary>
/// A priority queue of (rank, position), for positions that mostly come in increasing order within
/// a rank, as they do when merging walks through a text: each rank has a list of them, and only the
/// ranks are in a heap. A position out of order goes to a heap of its own.
/// </summary>
internal sealed class RankQueue
{
    private const int Empty = -1, KeptEntries = 1 << 16;

    private readonly int[] heads, tails;
    private readonly PriorityQueue<int, int> ranks = new();
    private readonly PriorityQueue<int, long> stray = new();

    // Entries of all lists; a taken entry is on the list that begins at free.
    private (int Position, int Next)[] entries = new (int, int)[256];
    private int used, free = Empty;

    public RankQueue(int rankCount)
    {
        (heads, tails) = (new int[rankCount], new int[rankCount]);
        Array.Fill(heads, Empty);
    }

    /// <summary>Adds a position under a rank.</summary>
    public void Push(int rank, int position)
    {
        int head = heads[rank], tail = tails[rank];
        if (head != Empty && entries[tail].Position > position)
        {
            stray.Enqueue(position, Key(rank, position));
            return;
        }
        int entry = NewEntry();
        entries[entry] = (position, Empty);
        tails[rank] = entry;
        if (head != Empty)
        {
            entries[tail].Next = entry;
            return;
        }
        heads[rank] = entry;
        ranks.Enqueue(rank, rank);
    }

    /// <summary>Takes the lowest rank, and of that the leftmost position.</summary>
    public bool TryPop(out int rank, out int position)
    {
        (rank, position) = (0, 0);
        bool listed = ranks.TryPeek(out rank, out _);
        if (listed)
            position = entries[heads[rank]].Position;
        if (stray.TryPeek(out int other, out long key) && (!listed || key < Key(rank, position)))
        {
            (rank, position) = ((int)(key >> 32), other);
            stray.Dequeue();
            return true;
        }
        if (!listed)
            return false;
        int entry = heads[rank];
        heads[rank] = entries[entry].Next;
        (entries[entry].Next, free) = (free, entry);
        if (heads[rank] == Empty)
            ranks.Dequeue();
        return true;
    }

    /// <summary>Gives back what an unusually long piece took. The queue must be empty.</summary>
    public void Trim()
    {
        (used, free) = (0, Empty);
        if (entries.Length <= KeptEntries)
            return;
        entries = new (int, int)[256];
        stray.TrimExcess();
    }

    private static long Key(int rank, int position) => ((long)rank << 32) | (uint)position;

    private int NewEntry()
    {
        if (free != Empty)
        {
            int entry = free;
            free = entries[entry].Next;
            return entry;
        }
        if (used == entries.Length)
            Array.Resize(ref entries, checked(2 * used));
        return used++;
    }
}
