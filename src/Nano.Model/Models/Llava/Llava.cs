namespace Nano;

/// <summary>The stages of LLaVA's training.</summary>
public enum LlavaStage
{
    /// <summary>The projector learns to bring what the tower sees to the words.</summary>
    Projector,

    /// <summary>Projector and decoder learn to talk about it.</summary>
    Instruction,
}

/// <summary>
/// LLaVA (Liu et al., "Visual Instruction Tuning", 2023): a decoder that sees. The vision tower of
/// CLIP gives a row for each patch, taken behind one of its last blocks, without the class row; a
/// projector, linear, GELU, linear, brings the rows to the width of the decoder, where they take
/// the places of the image tokens; the text holds as many of these as there are patches. Training
/// has two stages: first the projector alone, then the decoder with it; <see cref="Begin"/>
/// chooses.
/// <para>A batch: pixel_values [N, 3, H, W], input_ids and targets [B, T].</para>
/// </summary>
public sealed class Llava : Model
{
    private const string Projector = "multi_modal_projector.", Vision = "vision_tower.";

    private readonly LlavaConfig config;
    private readonly ClipVision vision;
    private readonly Linear first, second;
    private readonly Decoder text;

    /// <summary>A model with parameters that are zero.</summary>
    public Llava(LlavaConfig config) : this(config, new Parameters())
    {
    }

    internal Llava(LlavaConfig config, Parameters parameters) : base(config, parameters)
    {
        this.config = config;
        vision = new(config.VisionTower, config.Images, parameters, Vision + "vision_model.");
        ParameterFacts facts = new(ParameterRole.Inner, ModelComponent.Embedding);
        int C = config.TextModel.Channels;
        first = Linear.Declare(parameters, Projector + "linear_1", facts, config.VisionTower.Channels, C,
            bias: true);
        second = Linear.Declare(parameters, Projector + "linear_2", facts, C, C, bias: true);
        text = new(config.TextModel, parameters);
    }

    /// <summary>
    /// Begins a stage of training: gradients for its parameters, none for all others; the vision
    /// tower stays as it is in both. An optimizer is made afterwards, one for each stage.
    /// </summary>
    public void Begin(LlavaStage stage)
    {
        foreach (var parameter in Parameters.All)
            parameter.WantsGradient = parameter.Name!.StartsWith(Projector, StringComparison.Ordinal)
                || (stage == LlavaStage.Instruction && !parameter.Name.StartsWith(Vision, StringComparison.Ordinal));
        Parameters.EnableGradients();
    }

    /// <summary>Images [N, 3, H, W] as rows of the decoder, [N, patches, C].</summary>
    /// <exception cref="NanoException">The images have another size.</exception>
    public Tensor Project(Compute c, Tensor images, Action<string, Tensor>? watch = null)
    {
        var rows = vision.Rows(c, images, config.VisionBlocks, watch);
        var patches = c.Slice(rows, 1, 1, config.Images.Patches);
        return second.Forward(c, c.Activation(config.Activation, first.Forward(c, patches)));
    }

    /// <summary>Logits for every position of texts with images, [B, T, V].</summary>
    /// <param name="c">The context to run in.</param>
    /// <param name="images">[N, 3, H, W], in the order of their tokens.</param>
    /// <param name="ids">Token ids [B, T], with an image token for each patch of each
    /// image.</param>
    /// <param name="watch">Is shown image_features, the residual streams and logits.</param>
    /// <exception cref="NanoException">The images have another size, or their tokens another
    /// number.</exception>
    public Tensor Forward(Compute c, Tensor images, Tensor ids, Action<string, Tensor>? watch = null)
    {
        var features = Project(c, images, watch);
        watch?.Invoke("image_features", features);
        int rows = features.Shape[0] * features.Shape[1], found = ids.Ids.Count(config.ImageToken);
        if (found != rows)
            throw new NanoException($"the texts have {found} image tokens, and the images {rows} patches");
        var places = c.New(new Shape(rows), DType.Int32);
        for (int i = 0, n = 0; i < ids.Length; i++)
            if (ids.Ids[i] == config.ImageToken)
                places.Ids[n++] = i;
        return text.Forward(c, ids, new()
        {
            Embedded = new(features.Reshape(new Shape(rows, config.TextModel.Channels)), places),
            Watch = watch,
        });
    }

    /// <inheritdoc/>
    public override Tensor Loss(Compute c, Batch batch, Action<string, Tensor>? watch = null) =>
        c.CrossEntropy(Forward(c, batch["pixel_values"], batch["input_ids"], watch), batch["targets"]).Loss;
}
