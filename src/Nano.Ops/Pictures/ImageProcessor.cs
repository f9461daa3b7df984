namespace Nano;

/// <summary>
/// Pictures as a model reads them: brought to its size, cut to their middle, scaled, less a mean and divided by a
/// deviation for each colour; as preprocessor_config.json beside the model says, or where there is none, as ViT and
/// CLIP were trained.
/// </summary>
public sealed record ImageProcessor
{
    private const int MaxConfigBytes = 1 << 20, MaxPixels = 1 << 26;

    /// <summary>S: height and width of what the model reads.</summary>
    public required int Size { get; init; }

    /// <summary>The length of the short side after scaling; null to scale to <see cref="ScaledTo"/>.</summary>
    public int? ShortSide { get; init; }

    /// <summary>Width and height after scaling; null for none where there is no short side either.</summary>
    public (int Width, int Height)? ScaledTo { get; init; }

    /// <summary>Width and height of the middle that is cut out; null for the whole picture.</summary>
    public (int Width, int Height)? Crop { get; init; }

    /// <summary>The filter of scaling.</summary>
    public PictureFilter Filter { get; init; } = PictureFilter.Bilinear;

    /// <summary>The factor of the bytes of colours.</summary>
    public double Factor { get; init; } = 1.0 / byte.MaxValue;

    /// <summary>Subtracted from red, green and blue.</summary>
    public ValueList<double> Mean { get; init; } = [0.5, 0.5, 0.5];

    /// <summary>The divisors of red, green and blue.</summary>
    public ValueList<double> Deviation { get; init; } = [0.5, 0.5, 0.5];

    /// <summary>Pictures as ViT reads them: of S x S pixels, from -1 to 1.</summary>
    public static ImageProcessor OfVit(int size) => new() { Size = size, ScaledTo = (size, size) };

    /// <summary>Pictures as CLIP reads them: the short side of S pixels, and of that the middle.</summary>
    public static ImageProcessor OfClip(int size) => new()
    {
        Size = size,
        ShortSide = size,
        Crop = (size, size),
        Filter = PictureFilter.Bicubic,
        Mean = [0.48145466, 0.4578275, 0.40821073],
        Deviation = [0.26862954, 0.26130258, 0.27577711],
    };

    /// <summary>Reads a preprocessor_config.json.</summary>
    /// <param name="path">The file.</param>
    /// <param name="usual">What holds for keys that it does not have; its size must be the result's.</param>
    /// <exception cref="NanoException">The file is missing or cannot be read.</exception>
    /// <exception cref="BadFileException">It is malformed, or makes pictures of another size.</exception>
    public static ImageProcessor Load(string path, ImageProcessor usual)
    {
        using var json = new ConfigJson(System.Text.Encoding.UTF8.GetString(
            InputFile.ReadUtf8(path, MaxConfigBytes, "check the path")), path);
        bool crops = json.Bool("do_center_crop") ?? json.Has("crop_size"), scales = json.Bool("do_resize") ?? true,
            normalises = json.Bool("do_normalize") ?? true;
        var (shortSide, scaledTo) = scales ? SizeOf(json, "size", crops, usual.Size) : (null, null);
        var read = usual with
        {
            ShortSide = shortSide,
            ScaledTo = scaledTo,
            Crop = crops ? SizeOf(json, "crop_size", isShort: false, usual.Size).Exact : null,
            Filter = (json.Int("resample") ?? Resample(usual.Filter)) switch
            {
                0 => PictureFilter.Nearest,
                2 => PictureFilter.Bilinear,
                3 => PictureFilter.Bicubic,
                var number => throw json.Bad($"'resample' is {number}; supported: 0 nearest, 2 bilinear, 3 bicubic"),
            },
            Factor = json.Bool("do_rescale") ?? true ? json.Double("rescale_factor") ?? usual.Factor : 1,
            Mean = normalises ? Colours(json, "image_mean", usual.Mean) : [0, 0, 0],
            Deviation = normalises ? Colours(json, "image_std", usual.Deviation) : [1, 1, 1],
        };
        if (read.Deviation.Contains(0))
            throw json.Bad("'image_std' has a 0, and colours are divided by it");
        return (read.Crop ?? read.ScaledTo) is { } made && made != (usual.Size, usual.Size)
            ? throw json.Bad($"it makes pictures of {made.Width} x {made.Height} pixels, and the model reads "
                + $"{usual.Size} x {usual.Size}") : read;
    }

    private static int Resample(PictureFilter filter) =>
        filter switch { PictureFilter.Nearest => 0, PictureFilter.Bilinear => 2, _ => 3 };

    /// <summary>A number, or an object with shortest_edge or with height and width.</summary>
    private static (int? Short, (int Width, int Height)? Exact) SizeOf(ConfigJson json, string key, bool isShort,
        int usual)
    {
        if (!json.IsObject(key))
        {
            int side = Checked(json.Int(key) ?? usual);
            return isShort ? (side, null) : (null, (side, side));
        }
        var size = json.Object(key)!;
        return size.Int("shortest_edge") is { } edge ? (Checked(edge), null)
            : (null, (Checked(size.RequiredInt("width")), Checked(size.RequiredInt("height"))));

        int Checked(int side) => side is >= 1 and <= Picture.MaxSide ? side
            : throw json.Bad($"'{key}' is {side}; it must be from 1 to {Picture.MaxSide}");
    }

    private static ValueList<double> Colours(ConfigJson json, string key, ValueList<double> usual)
    {
        var numbers = json.Doubles(key);
        return numbers.Count == 0 ? usual : numbers.Count == Picture.Colours && numbers.All(double.IsFinite)
            ? [.. numbers] : throw json.Bad($"'{key}' has {numbers.Count} numbers; wanted 3, for red, green, blue");
    }

    /// <summary>Pictures from files as pixel_values [B, 3, S, S].</summary>
    /// <exception cref="NanoException">A file is missing, or a picture has another size where nothing scales
    /// it.</exception>
    /// <exception cref="BadFileException">One is no picture.</exception>
    public Tensor Read(params IReadOnlyList<string> paths) => Tensors([.. paths.Select(path => Picture.Read(path))]);

    /// <summary>Pictures as pixel_values [B, 3, S, S].</summary>
    /// <exception cref="NanoException">A picture has another size where nothing scales it, or cannot be
    /// scaled.</exception>
    public Tensor Tensors(params IReadOnlyList<Picture> pictures)
    {
        var values = new Tensor(new Shape(pictures.Count, Picture.Colours, Size, Size));
        for (int i = 0; i < pictures.Count; i++)
            Fill(Sized(pictures[i]),
                values.Data.Slice(i * Picture.Colours * Size * Size, Picture.Colours * Size * Size));
        return values;
    }

    private Picture Sized(Picture picture)
    {
        var scaled = ScaledTo;
        if (ShortSide is { } side)
        {
            int shorter = Math.Min(picture.Width, picture.Height);
            scaled = ((int)((long)side * picture.Width / shorter), (int)((long)side * picture.Height / shorter));
        }
        if (scaled is { } size)
        {
            if (size.Width > Picture.MaxSide || size.Height > Picture.MaxSide
                || (long)size.Width * size.Height > MaxPixels)
                throw new NanoException($"a picture of {picture.Width} x {picture.Height} pixels would become one of "
                    + $"{size.Width} x {size.Height}", "cut it before");
            picture = picture.Resize(size.Width, size.Height, Filter);
        }
        if (Crop is { } crop && crop.Width <= picture.Width && crop.Height <= picture.Height)
            picture = picture.CropCentre(crop.Width, crop.Height);
        return picture.Width == Size && picture.Height == Size ? picture
            : throw new NanoException($"a picture of {picture.Width} x {picture.Height} pixels; the model reads "
                + $"{Size} x {Size}", "scale it, or cut it");
    }

    /// <summary>[H, W, 3] as [3, H, W], normalised.</summary>
    private void Fill(Picture picture, Span<float> values)
    {
        int plane = Size * Size;
        for (int i = 0; i < plane; i++)
            for (int colour = 0; colour < Picture.Colours; colour++)
                values[(colour * plane) + i] = (float)(((picture.Pixels[(i * Picture.Colours) + colour] * Factor)
                    - Mean[colour]) / Deviation[colour]);
    }
}
