namespace Nano;

/// <summary>
/// CLIP (Radford et al., "Learning Transferable Visual Models From Natural Language Supervision",
/// 2021): one tower reads images, another reads texts; each ends in a vector of length 1 of the
/// same space. The text's vector is the row of its end token. With s = texts images^T e^scale, the
/// loss is the mean of the cross-entropies of rows and columns of s: text i belongs to image i. It
/// couples the whole batch, so that a batch in two parts has another loss. Or, by a switch, the loss
/// of SigLIP (Zhai et al., 2023): each pair of a text and an image is a yes or no of its own, s plus
/// a learned bias its logit.
/// <para>A batch: pixel_values [B, 3, H, W], input_ids [B, T], each row with an end token.</para>
/// </summary>
public sealed class Clip : Model
{
    internal static readonly TowerNames Names = new("layer_norm1", "self_attn.q_proj", "self_attn.k_proj",
        "self_attn.v_proj", "self_attn.out_proj", "layer_norm2", "mlp.fc1", "mlp.fc2");

    private readonly ClipConfig config;
    private readonly Tensor scale, words, positions; // scalar, [V, C], [T, C]
    private readonly Tensor? bias; // scalar, of SigLIP's loss
    private readonly Tower text;
    private readonly Norm textNorm;
    private readonly ClipVision vision;
    private readonly Linear imageProjection, textProjection;

    /// <summary>A model with parameters that are zero.</summary>
    public Clip(ClipConfig config) : this(config, new Parameters())
    {
    }

    internal Clip(ClipConfig config, Parameters parameters) : base(config, parameters)
    {
        this.config = config;
        int C = config.TextTower.Channels;
        ParameterFacts table = new(ParameterRole.Embedding, ModelComponent.Embedding),
            head = new(ParameterRole.Head, ModelComponent.Head);
        scale = parameters.Add("logit_scale", head with { Role = ParameterRole.Bias });
        bias = config.SigmoidLoss ? parameters.Add("logit_bias", head with { Role = ParameterRole.Bias }) : null;
        words = parameters.Add("text_model.embeddings.token_embedding.weight", table, config.VocabSize, C);
        positions = parameters.Add("text_model.embeddings.position_embedding.weight",
            table with { Role = ParameterRole.Position }, config.ContextLength, C);
        text = new(config.TextTower, parameters, "text_model.encoder.layers", Names);
        textNorm = Norm.Declare(parameters, "text_model.final_layer_norm", null, C, NormKind.Layer,
            config.TextTower.NormEpsilon);
        vision = new(config.VisionTower, config.Images, parameters, "vision_model.");
        imageProjection = Linear.Declare(parameters, "visual_projection", head, config.VisionTower.Channels,
            config.Projection, bias: false);
        textProjection = Linear.Declare(parameters, "text_projection", head, C, config.Projection, bias: false);
    }

    /// <summary>
    /// Normal with deviation 0.02; e^scale is 1 / 0.07, and the class row is drawn as positions
    /// are. Of SigLIP's loss e^scale is 10 and the bias -10: few pairs belong together.
    /// </summary>
    protected override void Initialize(Tensor parameter, ulong key, ulong stream)
    {
        if (parameter == scale)
            parameter.Data[0] = bias is null ? -MathF.Log(0.07f) : MathF.Log(10);
        else if (parameter == bias)
            parameter.Data[0] = -10;
        else if (parameter == vision.ClassRow)
            Philox.Normal(key, stream, 0.02, parameter.Data);
        else
            base.Initialize(parameter, key, stream);
    }

    /// <summary>Images [B, 3, H, W] as vectors of length 1, [B, P].</summary>
    /// <exception cref="NanoException">The images have another size.</exception>
    public Tensor EncodeImages(Compute c, Tensor images, Action<string, Tensor>? watch = null) =>
        c.L2Normalize(imageProjection.Forward(c, vision.Pool(c, images, watch)));

    /// <summary>Texts [B, T] as vectors of length 1, [B, P].</summary>
    /// <exception cref="NanoException">A text is too long, or has no end.</exception>
    public Tensor EncodeTexts(Compute c, Tensor ids, Action<string, Tensor>? watch = null)
    {
        int B = ids.Shape[0], T = ids.Shape[1];
        if (T > config.ContextLength)
            throw new NanoException($"{T} tokens do not fit the model's context of {config.ContextLength}");
        var ends = Ends(c, ids, config.EndToken);
        var x = c.Add(c.Embedding(words, ids), positions.SliceRows(0, T)); // [B, T, C]
        x = text.Forward(c, x, config.TextTower.Layers, isCausal: true, (i, x) => watch?.Invoke($"text.block{i}", x));
        var last = c.SelectRows(textNorm.Forward(c, x).Reshape(new Shape(B * T, config.TextTower.Channels)), ends);
        return c.L2Normalize(textProjection.Forward(c, last));
    }

    /// <summary>
    /// The number of the row, of all rows of all texts, that is the first end token of each text.
    /// </summary>
    private static Tensor Ends(Compute c, Tensor ids, int endToken)
    {
        int B = ids.Shape[0], T = ids.Shape[1];
        var ends = c.New(new Shape(B), DType.Int32);
        for (int b = 0; b < B; b++)
        {
            int end = ids.Ids.Slice(b * T, T).IndexOf(endToken);
            ends.Ids[b] = end >= 0 ? (b * T) + end
                : throw new NanoException($"text {b} of the batch has no end token, {endToken}");
        }
        return ends;
    }

    /// <inheritdoc/>
    public override Tensor Loss(Compute c, Batch batch, Action<string, Tensor>? watch = null)
    {
        var images = EncodeImages(c, batch["pixel_values"], watch);
        var texts = EncodeTexts(c, batch["input_ids"], watch);
        var scores = c.Multiply(c.MatMul(texts, images, transposeB: true), c.Exp(scale)); // [B, B]
        scores = bias is null ? scores : c.Add(scores, bias);
        watch?.Invoke("image_embeds", images);
        watch?.Invoke("text_embeds", texts);
        watch?.Invoke("logits_per_text", scores);
        return bias is null ? c.ContrastiveLoss(scores) : c.SigmoidPairLoss(texts, images, scale, bias);
    }
}
