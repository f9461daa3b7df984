using System.Runtime.InteropServices;

namespace Nano.Bench;

/// <summary>
/// OpenBLAS, where the system has it: the peer of matrix products. Where we run AVX-512, its
/// AVX-512 kernel is asked for too, whatever the environment says: older releases choose an AVX2
/// one on processors that they do not know.
/// </summary>
internal sealed unsafe class OpenBlas
{
    public const string Name = "OpenBLAS";

    private const int RowMajor = 101, NoTranspose = 111, Transpose = 112;
    private readonly delegate* unmanaged<int, int, int, int, int, int, float, float*, int, float*, int, float, float*,
        int, void> sgemm;

    private OpenBlas(nint library, int threads)
    {
        sgemm = (delegate* unmanaged<int, int, int, int, int, int, float, float*, int, float*, int, float, float*, int,
            void>)NativeLibrary.GetExport(library, "cblas_sgemm");
        ((delegate* unmanaged<int, void>)NativeLibrary.GetExport(library, "openblas_set_num_threads"))(threads);
        string Text(string name) =>
            Marshal.PtrToStringUTF8(((delegate* unmanaged<nint>)NativeLibrary.GetExport(library, name))()) ?? "";
        Description = $"{Text("openblas_get_config")}, kernel {Text("openblas_get_corename")}, {threads} "
            + $"thread{(threads == 1 ? "" : "s")}";
    }

    /// <summary>Version, options, kernel and threads.</summary>
    public string Description { get; }

    /// <summary>The library with so many threads, or null where there is none.</summary>
    public static OpenBlas? TryLoad(int threads)
    {
        // The library reads the C environment when it is loaded, which Environment.SetEnvironmentVariable
        // does not write.
        if (SimdWidths.Best() == SimdWidth.W512 && NativeLibrary.TryLoad("libc.so.6", out nint libc)
            && NativeLibrary.TryGetExport(libc, "setenv", out nint setenv))
            fixed (byte* name = "OPENBLAS_CORETYPE"u8, value = "SkylakeX"u8)
                ((delegate* unmanaged<byte*, byte*, int, int>)setenv)(name, value, 1);
        foreach (string name in (string[])["libopenblas.so.0", "libopenblas.so", "libopenblas.dylib",
            "libopenblas.dll"])
            if (NativeLibrary.TryLoad(name, out nint library))
                return new OpenBlas(library, threads);
        return null;
    }

    /// <summary>The same product on the same operands.</summary>
    public BenchPeer Peer(GemmSizes sizes, BenchWork work)
    {
        var (product, m, n, k) = sizes;
        var inputs = work.Inputs!;
        var (rows, columns, depth) = product switch
        {
            GemmProduct.Forward => (m, n, k),
            GemmProduct.InputGradient =>
            (m, k, n),
            _ => (n, k, m)
        };
        bool transposeA = product == GemmProduct.WeightGradient, transposeB = product == GemmProduct.Forward;
        var c = new Tensor(new Shape(rows, columns));
        return new BenchPeer(Name, () =>
        {
            var operands = inputs();
            fixed (float* a = operands[0].Data, b = operands[1].Data, y = c.Data)
                sgemm(RowMajor, transposeA ? Transpose : NoTranspose, transposeB ? Transpose : NoTranspose, rows,
                    columns, depth, 1,
                    a, operands[0].Shape.Columns, b, operands[1].Shape.Columns, 0, y, columns);
        }, () => [new("product", c.Data.ToArray(), work.Result!().Data.ToArray())]);
    }
}
