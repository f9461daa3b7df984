using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Nano.Ladder;

/// <summary>What the work of a ladder is counted in, which decides the ceiling it is compared with.</summary>
internal enum Unit
{
    Flops,
    Bytes,
}

/// <summary>One step of a ladder: what it adds to the one before, and how to run it.</summary>
/// <param name="Name">Its name in the table.</param>
/// <param name="Adds">What is new, in a few words.</param>
/// <param name="Result">Where the result is after a run.</param>
/// <param name="Compute">The action.</param>
/// <param name="Uses">Tensors that the action reaches by pointer, kept from the garbage collector.</param>
internal sealed record Step(string Name, string Adds, Tensor? Result, Action Compute, IReadOnlyList<Tensor> Uses)
{
    private Func<Tensor>? nano;

    /// <summary>Whether the result is known to be wrong on the hard rows: a step that is shown and rejected.</summary>
    public bool FailsOnHardRows { get; init; }

    /// <summary>Threads it runs on.</summary>
    public int Threads { get; private init; } = 1;

    /// <summary>A step that is an op of Nano.</summary>
    public static Step OfNano(string name, string adds, Compute compute, Func<Tensor> op)
    {
        Tensor Op()
        {
            compute.NextStep();
            return op();
        }
        return new(name, adds, null, () => Op(), []) { nano = Op, Threads = compute.Threads };
    }

    /// <summary>Runs it with results that cannot be left over from another step.</summary>
    public Tensor RunAfresh()
    {
        if (nano is not null)
            return nano();
        for (int row = 0; row < Result!.Shape.Rows; row++)
            Ladder.Row(Result, row).Fill(float.NaN);
        Compute();
        return Result;
    }
}

/// <summary>A problem and the steps that solve it, each faster than the one before.</summary>
internal abstract unsafe class Ladder(string name, string problem, double work, Unit unit, double tolerance)
{
    public string Name { get; } = name;

    public string Problem { get; } = problem;

    /// <summary>Operations or bytes of one run.</summary>
    public double Work { get; } = work;

    public Unit Unit { get; } = unit;

    /// <summary>The largest error allowed, in parts of the largest result.</summary>
    public double Tolerance { get; } = tolerance;

    /// <summary>The same on the hard rows; 0 where there are none.</summary>
    public double HardTolerance { get; protected init; }

    /// <summary>
    /// Whether all steps add the same numbers in the same order, so that their results agree to the
    /// last bit.
    /// </summary>
    public bool SameBits { get; protected init; }

    public abstract IReadOnlyList<Step> Steps(Compute one, Compute all);

    /// <summary>The result in double precision, row after row.</summary>
    public abstract double[] Reference();

    /// <summary>Changes the input to rows on which a careless step fails.</summary>
    public virtual void MakeHard() => throw new NotSupportedException(Name);

    /// <summary>
    /// The largest error of a result in parts of the largest value of the reference; infinite if
    /// there is a NaN.
    /// </summary>
    public static double Error(Tensor result, double[] reference)
    {
        double largest = 0, error = 0;
        int at = 0;
        for (int row = 0; row < result.Shape.Rows; row++)
        {
            foreach (float value in Row(result, row))
            {
                largest = Math.Max(largest, Math.Abs(reference[at]));
                double off = Math.Abs(value - reference[at++]);
                error = double.IsNaN(off) ? double.PositiveInfinity : Math.Max(error, off);
            }
        }
        return error / largest;
    }

    /// <summary>A number that differs if any bit of a result does (as good as always).</summary>
    public static int Bits(Tensor result)
    {
        var hash = new HashCode();
        for (int row = 0; row < result.Shape.Rows; row++)
            hash.AddBytes(MemoryMarshal.AsBytes(Row(result, row)));
        return hash.ToHashCode();
    }

    /// <summary>An innermost row of a tensor.</summary>
    public static Span<float> Row(Tensor tensor, int row) =>
        tensor.Reshape(new Shape((int)tensor.Shape.Rows, tensor.Shape.Columns)).SliceRows(row, 1).Data;

    /// <summary>Numbers between -1 and 1.</summary>
    protected static Tensor Random(Shape shape, int seed)
    {
        var tensor = new Tensor(shape);
        var random = new Random(seed);
        foreach (ref float value in tensor.Data)
            value = (2 * random.NextSingle()) - 1;
        return tensor;
    }

    protected static int RoundUp(int n, int multiple) => (n + multiple - 1) / multiple * multiple;

    /// <summary>The memory of a tensor, which does not move; whoever uses it keeps the tensor.</summary>
    protected static float* PointerOf(Tensor tensor) =>
        (float*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(tensor.Data));
}
