using System.Runtime.InteropServices;
using CommunityToolkit.HighPerformance.Buffers;

namespace Nano;

/// <summary>
/// A matrix [N, K] in the layout of AutoGPTQ or AutoAWQ: codes, zeros and scales as tensors of their
/// own, transposed and with several codes to a word. With P = 32 / bits,
/// <code>
/// GPTQ  qweight [K / P, N]   bits b (k mod P) of word [k div P, n]
/// AWQ   qweight [K, N / 8]   nibble i of word [k, c] is output 8 c + (0 2 4 6 1 3 5 7)[i]
/// both  qzeros [G, N / P] packed along n as GPTQ's in order, AWQ's in its own; scales [G, N]
/// GPTQ  g_idx [K] the group of each input, where groups are not neighbours
/// </code>
/// A weight is scale (code - zero), exact in float32. Version 1 of GPTQ stores zeros less 1, in the bits
/// there are: 0 as the largest code. Groups of neighbours, whole blocks of 32, with scales in
/// float16 are read as <see cref="WeightType.Int4"/> or <see cref="WeightType.Int8"/>, others as
/// float32.
/// </summary>
internal sealed class GroupedTensor
{
    private const int Block = 32;
    private const string CodesSuffix = ".qweight", ZerosSuffix = ".qzeros", ScalesSuffix = ".scales",
        OrderSuffix = ".g_idx", Weight = ".weight";

    private static readonly int[] InWord = [0, 1, 2, 3, 4, 5, 6, 7], InAwqWord = [0, 2, 4, 6, 1, 3, 5, 7];

    private readonly SafetensorsSet files;
    private readonly GroupedLayout layout;
    private readonly string name; // of the linear layer
    private readonly SafetensorsPart codes, zeros, scales;
    private int[]? groupOf; // of each input; null for neighbours

    private GroupedTensor(SafetensorsSet files, string name, GroupedLayout layout)
    {
        (this.files, this.name, this.layout) = (files, name, layout);
        codes = Part(CodesSuffix, SafetensorsType.I32);
        zeros = Part(ZerosSuffix, SafetensorsType.I32);
        scales = Part(ScalesSuffix, SafetensorsType.F16, SafetensorsType.BF16, SafetensorsType.F32);
    }

    /// <summary>The quantised form of a parameter under one of its names, or null if the files hold none.</summary>
    /// <exception cref="BadFileException">A part of it is missing.</exception>
    public static GroupedTensor? In(SafetensorsSet files, ReadOnlySpan<string> names, GroupedLayout layout)
    {
        foreach (string parameter in names)
            if (parameter.EndsWith(Weight, StringComparison.Ordinal)
                && parameter[..^Weight.Length] is var layer && files.Has(layer + CodesSuffix))
                return new GroupedTensor(files, layer, layout);
        return null;
    }

    /// <summary>
    /// True if a tensor is the bias, all zeros, of a quantised layer: old files have them for layers without one.
    /// </summary>
    public static bool IsZeroBias(SafetensorsSet files, string name)
    {
        const string bias = ".bias";
        if (!name.EndsWith(bias, StringComparison.Ordinal) || !files.Has(name[..^bias.Length] + CodesSuffix))
            return false;
        ModelTensor tensor = files.Tensor(name);
        var values = new float[tensor.Shape.Length];
        tensor.ReadFloat32(values);
        return Array.TrueForAll(values, value => value == 0);
    }

    /// <summary>The tensors of the files that it is made of.</summary>
    public IEnumerable<string> Names =>
        ((string[])[CodesSuffix, ZerosSuffix, ScalesSuffix, OrderSuffix]).Select(suffix => name + suffix);

    private int N { get; set; }

    private int K { get; set; }

    private int GroupSize => layout.GroupSize == -1 ? K : layout.GroupSize;

    private int Groups => K / GroupSize;

    /// <summary>The matrix.</summary>
    /// <param name="shape">The shape [N, K] that the configuration asks for.</param>
    /// <exception cref="BadFileException">A part has another shape, or g_idx names a group that there is not.
    /// </exception>
    public ModelTensor Open(Shape shape)
    {
        (N, K) = (shape[0], shape[1]);
        int per = layout.PerWord;
        if (K % GroupSize != 0)
            throw Bad($"groups of {GroupSize} do not divide the {K} inputs of '{name}'");
        if ((layout.IsAwq ? N : K) % per != 0 || N % per != 0)
            throw Bad($"'{name}' {shape} is no whole number of words of {per} codes");
        Check(codes, layout.IsAwq ? [K, N / per] : [K / per, N]);
        Check(zeros, [Groups, N / per]);
        Check(scales, [Groups, N]);
        groupOf = Order();
        bool isBlocks = groupOf is null && GroupSize % Block == 0 && scales.Entry.Type == SafetensorsType.F16;
        WeightType type = !isBlocks ? WeightType.F32 : layout.Bits == 4 ? WeightType.Int4 : WeightType.Int8;
        return new ModelTensor(name + Weight, shape, type, (start, destination) => Read(type, start, destination));
    }

    private SafetensorsPart Part(string suffix, params ReadOnlySpan<SafetensorsType> types)
    {
        if (!files.Has(name + suffix))
            throw Bad($"tensor '{name + suffix}' is missing ('{name + CodesSuffix}' is there)");
        SafetensorsPart part = files.Stored(name + suffix);
        return types.Contains(part.Entry.Type) ? part : throw Bad(
            $"tensor '{name + suffix}' has type {part.Entry.Type}; expected {string.Join(" or ", types.ToArray())}");
    }

    private void Check(SafetensorsPart part, ReadOnlySpan<long> expected)
    {
        if (!part.Entry.Shape.SequenceEqual(expected.ToArray()))
            throw Bad($"tensor '{part.Entry.Name}' has shape [{string.Join(", ", part.Entry.Shape)}]; [{N}, {K}] in "
                + $"{layout.Bits} bits and groups of {GroupSize} asks for [{string.Join(", ", expected.ToArray())}]");
    }

    /// <summary>The group of each input, or null if they are neighbours.</summary>
    private int[]? Order()
    {
        if (layout.IsAwq || !files.Has(name + OrderSuffix))
            return !layout.IsOrdered ? null
                : throw Bad($"tensor '{name + OrderSuffix}' is missing ('desc_act' is true)");
        SafetensorsPart part = Part(OrderSuffix, SafetensorsType.I32);
        Check(part, [K]);
        var groups = new int[K];
        part.Read(0, groups);
        bool areNeighbours = true;
        for (int k = 0; k < K; k++)
        {
            if (groups[k] < 0 || groups[k] >= Groups)
                throw Bad($"tensor '{part.Entry.Name}' names group {groups[k]} of {Groups}");
            areNeighbours &= groups[k] == k / GroupSize;
        }
        return areNeighbours ? null : groups;
    }

    private BadFileException Bad(string problem) => new(files.FileOf(name + CodesSuffix), problem);

    /// <summary>Elements from one on, as floats or as whole blocks: their rows are unpacked whole.</summary>
    private void Read(WeightType type, long start, Span<byte> destination)
    {
        BlockFormat format = BlockFormat.Of(type);
        long count = (long)destination.Length / format.Bytes * format.Weights;
        if (count == 0)
            return;
        int first = (int)(start / K), rows = (int)((start + count + K - 1) / K) - first;
        using var whole = SpanOwner<byte>.Allocate(checked((int)format.BytesOf((long)rows * K)));
        Rows(type, first, rows, whole.Span);
        whole.Span.Slice((int)format.BytesOf(start - ((long)first * K)), destination.Length).CopyTo(destination);
    }

    private void Rows(WeightType type, int first, int rows, Span<byte> to)
    {
        using SpanOwner<byte> q = SpanOwner<byte>.Allocate(checked(rows * K)),
            z = SpanOwner<byte>.Allocate(rows * Groups);
        using SpanOwner<float> s = SpanOwner<float>.Allocate(rows * Groups);
        if (layout.IsAwq)
            AlongOutputs(codes, K, first, rows, q.Span, InAwqWord, 0);
        else
            AlongInputs(first, rows, q.Span);
        AlongOutputs(zeros, Groups, first, rows, z.Span, layout.IsAwq ? InAwqWord : InWord, layout.ZeroOffset);
        ReadScales(first, rows, s.Span);
        for (int row = 0; row < rows; row++)
        {
            ReadOnlySpan<byte> ofRow = q.Span.Slice(row * K, K), zero = z.Span.Slice(row * Groups, Groups);
            ReadOnlySpan<float> scale = s.Span.Slice(row * Groups, Groups);
            Span<byte> stored = to.Slice(to.Length / rows * row, to.Length / rows);
            if (type == WeightType.F32)
                Floats(ofRow, zero, scale, MemoryMarshal.Cast<byte, float>(stored));
            else
                Blocks(ofRow, zero, scale, stored);
        }
    }

    private void Floats(ReadOnlySpan<byte> q, ReadOnlySpan<byte> zero, ReadOnlySpan<float> scale, Span<float> to)
    {
        for (int k = 0; k < to.Length; k++)
        {
            int group = groupOf is null ? k / GroupSize : groupOf[k];
            to[k] = scale[group] * (q[k] - zero[group]);
        }
    }

    private void Blocks(ReadOnlySpan<byte> q, ReadOnlySpan<byte> zero, ReadOnlySpan<float> scale, Span<byte> to)
    {
        int bytes = to.Length / (K / Block);
        for (int k = 0; k < K; k += Block, to = to[bytes..])
        {
            Rounding.WriteScale(to, scale[k / GroupSize]);
            to[2] = zero[k / GroupSize];
            if (layout.Bits == 4)
                Nibbles.Pack(q.Slice(k, Block), to[3..]);
            else
                q.Slice(k, Block).CopyTo(to[3..]);
        }
    }

    /// <summary>Codes whose words hold neighbours along k: of each row of words, the piece of these outputs.</summary>
    private void AlongInputs(int first, int rows, Span<byte> to)
    {
        int per = layout.PerWord, mask = GroupGrid.MostOf(layout.Bits);
        using var owner = SpanOwner<int>.Allocate(rows);
        Span<int> piece = owner.Span;
        for (int k = 0; k < K; k += per)
        {
            codes.Read(((long)(k / per) * N) + first, piece);
            for (int row = 0; row < rows; row++)
                for (int i = 0; i < per; i++)
                    to[(row * K) + k + i] = (byte)((piece[row] >> (layout.Bits * i)) & mask);
        }
    }

    /// <summary>
    /// Values [count, N] whose words hold neighbours along n, transposed: the pieces of these outputs.
    /// </summary>
    private void AlongOutputs(SafetensorsPart from, int count, int first, int rows, Span<byte> to, int[] inWord,
        int offset)
    {
        int per = layout.PerWord, mask = GroupGrid.MostOf(layout.Bits), word = first / per,
            words = ((first + rows + per - 1) / per) - word;
        using var owner = SpanOwner<int>.Allocate(words);
        Span<int> piece = owner.Span;
        for (int k = 0; k < count; k++)
        {
            from.Read(((long)k * (N / per)) + word, piece);
            for (int i = 0; i < words * per; i++)
                if (((word + (i / per)) * per) + inWord[i % per] - first is var row && row >= 0 && row < rows)
                    to[(row * count) + k] = (byte)(((piece[i / per] >> (layout.Bits * (i % per))) + offset) & mask);
        }
    }

    /// <summary>The scales [rows, groups] of these outputs.</summary>
    private void ReadScales(int first, int rows, Span<float> to)
    {
        WeightType type = scales.File.WeightTypeOf(scales.Entry);
        int size = WeightTypes.SizeOf(type);
        using var owner = SpanOwner<byte>.Allocate(rows * size);
        using var piece = SpanOwner<float>.Allocate(rows);
        for (int group = 0; group < Groups; group++)
        {
            scales.File.ReadWeights(scales.Entry, ((long)group * N) + first, owner.Span);
            WeightTypes.Widen(type, owner.Span, piece.Span);
            for (int row = 0; row < rows; row++)
                to[(row * Groups) + group] = piece.Span[row];
        }
    }
}
