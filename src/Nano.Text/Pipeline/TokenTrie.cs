using System.Numerics;

namespace Nano;

/// <summary>Tokens as paths from a root, one UTF-16 unit a step: finds all that a text begins with.</summary>
internal sealed class TokenTrie
{
    /// <summary>The node without a token yet.</summary>
    public const int Root = 0;

    // Open addressing: the node and unit of a step plus one, and the node that it leads to.
    private ulong[] keys = new ulong[64];
    private int[] targets = new int[64];
    private readonly List<int> values = [-1];

    /// <summary>Adds a token, or gives one that is here another id.</summary>
    public void Add(string token, int id)
    {
        int node = Root;
        foreach (char c in token)
        {
            int next = Step(node, c);
            node = next < 0 ? NewNode(node, c) : next;
        }
        values[node] = id;
    }

    /// <summary>The node behind a step, or -1.</summary>
    public int Step(int node, char c)
    {
        int at = Slot(Key(node, c));
        return keys[at] == 0 ? -1 : targets[at];
    }

    /// <summary>The id of the token that ends at a node, or -1.</summary>
    public int this[int node] => values[node];

    private static ulong Key(int node, char c) => (((ulong)(uint)node << 16) | c) + 1;

    private int NewNode(int parent, char c)
    {
        if (4L * values.Count > 3L * keys.Length)
            Grow();
        int at = Slot(Key(parent, c));
        (keys[at], targets[at]) = (Key(parent, c), values.Count);
        values.Add(-1);
        return values.Count - 1;
    }

    private void Grow()
    {
        var (oldKeys, oldTargets) = (keys, targets);
        keys = new ulong[checked(2 * oldKeys.Length)];
        targets = new int[keys.Length];
        for (int i = 0; i < oldKeys.Length; i++)
        {
            if (oldKeys[i] == 0)
                continue;
            int at = Slot(oldKeys[i]);
            (keys[at], targets[at]) = (oldKeys[i], oldTargets[i]);
        }
    }

    private int Slot(ulong key)
    {
        int at = (int)((key * 0x9E3779B97F4A7C15) >> (64 - BitOperations.Log2((uint)keys.Length)));
        while (keys[at] != key && keys[at] != 0)
            at = (at + 1) & (keys.Length - 1);
        return at;
    }
}
