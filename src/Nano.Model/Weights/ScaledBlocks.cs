using System.Runtime.InteropServices;

namespace Nano;

/// <summary>
/// Matrices of 8-bit floats with a factor for each block of 128 rows and 128 columns, quant_method "fp8" of
/// quantization_config (DeepSeek-AI, "DeepSeek-V3 Technical Report", 2024, section 3.3.2; the factors lie in
/// NAME_scale_inv). They are read as float32.
/// </summary>
internal static class ScaledBlocks
{
    private const int Size = 128;
    private const string Suffix = "_scale_inv";

    /// <summary>Refuses blocks of another size.</summary>
    /// <exception cref="BadFileException">They have another, or no size.</exception>
    public static void Check(ConfigJson quantisation)
    {
        var sizes = quantisation.Ints("weight_block_size");
        if (!sizes.SequenceEqual([Size, Size]))
            throw quantisation.Bad($"'weight_block_size' is [{string.Join(", ", sizes)}]; supported: [{Size}, {Size}]");
    }

    /// <summary>The name of the factors of a tensor.</summary>
    public static string FactorsOf(string name) => name + Suffix;

    /// <summary>A matrix times its factors.</summary>
    /// <param name="codes">[rows, columns], 8-bit floats.</param>
    /// <param name="files">The files, which hold its factors [rows / 128, columns / 128], rounded up.</param>
    /// <exception cref="BadFileException">The factors have another shape.</exception>
    public static ModelTensor Open(ModelTensor codes, SafetensorsSet files)
    {
        ModelTensor factors = files.Tensor(FactorsOf(codes.Name));
        int columns = codes.Shape.Rank == 2 ? codes.Shape[1] : 0, across = Blocks(columns);
        if (columns == 0 || factors.Shape != new Shape(Blocks(codes.Shape[0]), across))
            throw new BadFileException(files.FileOf(factors.Name),
                $"tensor '{factors.Name}' has shape {factors.Shape}; '{codes.Name}' {codes.Shape} needs a factor for "
                + $"each block of {Size} x {Size}");
        var values = new float[factors.Shape.Length];
        factors.ReadFloat32(values);
        ModelTensor floats = codes.As(WeightType.F32);
        return new ModelTensor(codes.Name, codes.Shape, WeightType.F32, (start, destination) =>
        {
            floats.Read(start, destination);
            Span<float> numbers = MemoryMarshal.Cast<byte, float>(destination);
            for (int i = 0; i < numbers.Length; i++)
            {
                var (row, column) = Math.DivRem(start + i, columns);
                numbers[i] *= values[(row / Size * across) + (column / Size)];
            }
        });
    }

    private static int Blocks(int count) => (count + Size - 1) / Size;
}
