namespace Nano;

/// <summary>
/// Labels that the model draws itself: row r has an id of softmax(logits)'s distribution, by random
/// number r of a key and stream (see <see cref="Philox"/>).
/// </summary>
/// <param name="Key">A key of its own purpose.</param>
/// <param name="Stream">The number of the draw.</param>
/// <param name="FirstRow">Rows of the batch before these: however it is split, each row has its own number.</param>
public readonly record struct LabelDraw(ulong Key, ulong Stream, long FirstRow = 0);

/// <summary>
/// Draws a label for each counted row: targets[row] = the first id whose probabilities, summed from
/// id 0, exceed a uniform random number; the order is the same at every SIMD width.
/// </summary>
internal readonly unsafe struct DrawLabels(float* logits, int columns, LabelDraw draw, long firstRow,
    int* targets) : IKernel
{
    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        float* powers = scratch.Allocate(columns);
        for (nint row = begin; row < end; row++)
        {
            if (targets[row] == CrossEntropyOp.Ignore)
                continue;
            float* z = logits + (row * columns);
            RowReduce.Sum<S, V, ExpTerm>(columns, new ExpTerm(z, RowReduce.Max<S, V>(columns, z), 1, powers));
            double sum = 0;
            for (int id = 0; id < columns; id++)
                sum += powers[id];
            double rest = Philox.Uniform(draw.Key, draw.Stream, (ulong)(draw.FirstRow + firstRow + row)) * sum;
            int drawn = 0;
            for (int id = 0; id < columns - 1 && (rest -= powers[id]) >= 0; id++)
                drawn = id + 1;
            targets[row] = drawn;
        }
    }
}
