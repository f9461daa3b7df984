namespace Nano;

/// <summary>Pictures of 16 x 16 points in noise: a disc, a square, a cross or a ring in one of four colours.</summary>
internal static class Pictures
{
    public const int Size = 16;

    public static readonly string[] Shapes = ["disc", "square", "cross", "ring"];

    public static readonly string[] Colours = ["red", "green", "blue", "yellow"];

    private const double Noise = 0.15;

    private static readonly (float R, float G, float B)[] Lights = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0)];

    /// <summary>A batch [B, 3, 16, 16] of shapes in colours, at random places.</summary>
    public static Tensor Draw(Compute c, Draws draws, ReadOnlySpan<int> shapes, ReadOnlySpan<int> colours)
    {
        var pictures = c.New(new Shape(shapes.Length, 3, Size, Size));
        for (int i = 0; i < shapes.Length; i++)
            Draw(draws, shapes[i], Lights[colours[i]], pictures.Data.Slice(i * 3 * Size * Size, 3 * Size * Size));
        return pictures;
    }

    private static void Draw(Draws draws, int shape, (float R, float G, float B) light, Span<float> picture)
    {
        double radius = draws.Uniform(3, 5), x = draws.Uniform(5, Size - 6), y = draws.Uniform(5, Size - 6),
            brightness = draws.Uniform(0.7, 1.2);
        for (int i = 0; i < picture.Length; i++)
        {
            int place = i % (Size * Size), colour = i / (Size * Size);
            bool isOn = IsOn(shape, (place % Size) - x, (place / Size) - y, radius);
            float part = colour == 0 ? light.R : colour == 1 ? light.G : light.B;
            picture[i] = (float)((Noise * draws.Normal()) + (isOn ? part * brightness : 0));
        }
    }

    private static bool IsOn(int shape, double dx, double dy, double radius)
    {
        double far = Math.Max(Math.Abs(dx), Math.Abs(dy)), length = Math.Sqrt((dx * dx) + (dy * dy));
        return shape switch
        {
            0 => length <= radius,
            1 => far <= radius * 0.85,
            2 => Math.Min(Math.Abs(dx), Math.Abs(dy)) <= 1 && far <= radius,
            _ => Math.Abs(length - radius) <= 1,
        };
    }
}
