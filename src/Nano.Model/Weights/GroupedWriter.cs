using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;

namespace Nano;

/// <summary>The matrices of a model that a folder holds as codes.</summary>
/// <param name="ByName">The matrices by the names of their parameters.</param>
/// <param name="Bits">Bits of a code.</param>
/// <param name="Group">Columns of a group, -1 for all of a row.</param>
internal sealed record GroupedMatrices(IReadOnlyDictionary<string, GroupedMatrix> ByName, int Bits, int Group);

/// <summary>Matrices of codes as files have them.</summary>
internal static class GroupedWriter
{
    private const int WordBits = 32;

    /// <summary>True if a matrix [rows, columns] fits the words of GPTQ's layout.</summary>
    public static bool Fits(Shape shape, int bits) =>
        shape[0] % (WordBits / bits) == 0 && shape[1] % (WordBits / bits) == 0;

    /// <summary>
    /// The tensors of a matrix in GPTQ's layout, see <see cref="GroupedTensor"/>: zeros, which are whole and from 1 on,
    /// are stored less 1, as version 1 has them.
    /// </summary>
    /// <param name="layer">The name of the linear layer.</param>
    /// <param name="matrix">The matrix, its scales in float16.</param>
    public static IEnumerable<SafetensorsTensor> Folder(string layer, GroupedMatrix matrix)
    {
        int rows = matrix.Rows, columns = matrix.Columns, groups = matrix.Groups, per = WordBits / matrix.Bits;
        return
        [
            new(layer + ".qweight", SafetensorsType.I32, [columns / per, rows], stream => Words(stream, columns / per,
                rows, (word, row, i) => matrix.AllCodes[(row * columns) + (word * per) + i], matrix.Bits)),
            new(layer + ".qzeros", SafetensorsType.I32, [groups, rows / per], stream => Words(stream, groups,
                rows / per, (group, word, i) => (int)matrix[(word * per) + i, group].Zero - 1, matrix.Bits)),
            new(layer + ".scales", SafetensorsType.F16, [groups, rows], stream => Scales(stream, matrix)),
            new(layer + ".g_idx", SafetensorsType.I32, [columns], stream => stream.Write(MemoryMarshal.AsBytes(
                Enumerable.Range(0, columns).Select(column => column / matrix.Group).ToArray().AsSpan()))),
        ];
    }

    /// <summary>The layout as config.json names it.</summary>
    public static JsonObject Config(int bits, int group) => new()
    {
        ["quant_method"] = "gptq",
        ["bits"] = bits,
        ["group_size"] = group,
        ["desc_act"] = false,
        ["sym"] = false,
        ["lm_head"] = false,
        ["checkpoint_format"] = "gptq",
    };

    private static void Words(Stream stream, int count, int perRow, Func<int, int, int, int> value, int bits)
    {
        var line = new byte[perRow * sizeof(int)];
        for (int row = 0; row < count; row++)
        {
            for (int at = 0; at < perRow; at++)
            {
                int word = 0;
                for (int i = 0; i < WordBits / bits; i++)
                    word |= value(row, at, i) << (bits * i);
                BinaryPrimitives.WriteInt32LittleEndian(line.AsSpan(at * sizeof(int)), word);
            }
            stream.Write(line);
        }
    }

    private static void Scales(Stream stream, GroupedMatrix matrix)
    {
        var line = new byte[matrix.Rows * 2];
        for (int group = 0; group < matrix.Groups; group++)
        {
            for (int row = 0; row < matrix.Rows; row++)
                BinaryPrimitives.WriteHalfLittleEndian(line.AsSpan(row * 2), (Half)matrix[row, group].Scale);
            stream.Write(line);
        }
    }

    /// <summary>
    /// A matrix as blocks of GGUF files, whose scales in float16 are those of its groups: of 4 bits as Q4_1, with zeros
    /// as minima in float16; of 8 bits around 128 as Q8_0.
    /// </summary>
    /// <param name="name">The name of the tensor.</param>
    /// <param name="matrix">The matrix; its groups are whole blocks of 32.</param>
    public static ModelTensor Blocks(string name, GroupedMatrix matrix)
    {
        WeightType type = matrix.Bits == 4 ? WeightType.Q4_1 : WeightType.Q8_0;
        BlockFormat format = BlockFormat.Of(type);
        var shape = new Shape(matrix.Rows, matrix.Columns);
        var bytes = new byte[format.BytesOf(shape.Length)];
        Span<byte> to = bytes;
        for (int row = 0; row < matrix.Rows; row++)
            for (int column = 0; column < matrix.Columns; column += format.Weights, to = to[format.Bytes..])
            {
                GroupGrid grid = matrix[row, column / matrix.Group];
                Span<byte> codes = matrix.Row(row).Slice(column, format.Weights);
                Rounding.WriteScale(to, (float)grid.Scale);
                if (type == WeightType.Q4_1)
                {
                    Rounding.WriteScale(to[2..], (float)(-grid.Zero * grid.Scale));
                    Nibbles.Pack(codes, to[4..]);
                }
                else
                    for (int i = 0; i < codes.Length; i++)
                        to[2 + i] = (byte)(codes[i] - (int)grid.Zero);
            }
        return new ModelTensor(name, shape, type, (start, destination) =>
            bytes.AsSpan((int)format.BytesOf(start), destination.Length).CopyTo(destination));
    }
}
