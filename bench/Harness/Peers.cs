using System.Numerics.Tensors;

namespace Nano.Bench;

/// <summary>Everybody else on this machine who can do a case.</summary>
internal sealed class Peers
{
    private readonly OpenBlas? openBlas;
    private readonly int threads;

    public Peers(int threads)
    {
        this.threads = threads;
        openBlas = OpenBlas.TryLoad(threads);
    }

    /// <summary>A line about each: what it is, or that it is absent.</summary>
    public IEnumerable<string> Descriptions =>
    [
        openBlas is null ? "OpenBLAS is not installed: no peer for matrix products (Debian: libopenblas0-pthread)"
            : openBlas.Description,
        threads == 1 ? $"System.Numerics.Tensors {typeof(TensorPrimitives).Assembly.GetName().Version}"
            : "System.Numerics.Tensors runs on one thread: a peer with --threads 1 only",
    ];

    public IEnumerable<BenchPeer> Of(BenchCase of, BenchWork work)
    {
        foreach (string name in Names(of))
            yield return name == OpenBlas.Name ? openBlas!.Peer(of.Gemm!, work) : Primitive(of.Name, work);
    }

    /// <summary>The names of those who can do a case, without making its data.</summary>
    public IEnumerable<string> Names(BenchCase of)
    {
        if (openBlas is not null && of.Gemm is not null)
            yield return OpenBlas.Name;
        if (threads == 1 && of.Group == "ops" && of.Name is "add" or "multiply" or "softmax" or "sum of squares")
            yield return Primitives;
    }

    private const string Primitives = "TensorPrimitives";

    private static BenchPeer Primitive(string name, BenchWork work)
    {
        var x = work.Inputs!();
        var y = new Tensor(name == "sum of squares" ? new Shape() : x[0].Shape);
        return new BenchPeer(Primitives, name switch
        {
            "add" => () => TensorPrimitives.Add(x[0].Data, x[1].Data, y.Data),
            "multiply" => () => TensorPrimitives.Multiply(x[0].Data, x[1].Data, y.Data),
            "softmax" => Softmax,
            _ => () => y.Data[0] = TensorPrimitives.SumOfSquares<float>(x[0].Data),
        }, () => [new("result", y.Data.ToArray(), work.Result!().Data.ToArray())])
        { Tolerance = work.PeerTolerance };

        void Softmax() // does not take the maximum away
        {
            int columns = y.Shape.Columns;
            for (int row = 0; row < y.Shape.Rows; row++)
                TensorPrimitives.SoftMax(x[0].Data.Slice(row * columns, columns), y.Data.Slice(row * columns, columns));
        }
    }
}
