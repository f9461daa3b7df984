namespace Nano;

/// <summary>
/// Diffusion of points: eight Gaussians of deviation 0.1 on a circle of radius 2. Of points made from noise nearly all
/// should lie within 0.4 of a centre, and every centre should have its share.
/// </summary>
internal static class PointsTask
{
    private const int Centres = 8, Count = 256, Samples = 2000, NoiseSteps = 100;
    private const double Radius = 2, Deviation = 0.1, Near = 0.4;

    public static IReadOnlyList<TaskFigure> Run(TaskRun run)
    {
        using var model = run.Initialized(new Ddpm(new DdpmConfig
        {
            Channels = 128,
            TimeChannels = 32,
            Steps = NoiseSteps,
            Noise = NoiseKind.Cosine,
        }));
        double loss = run.Fit("ddpm", model, 2000, 2e-3, 0, draws => Batch(run.Compute, draws));
        float[] points = model.Sample(run.Compute, Samples, run.Seed);
        int near = 0;
        var shares = new int[Centres];
        for (int i = 0; i < Samples; i++)
        {
            int nearest = Enumerable.Range(0, Centres).MinBy(centre => Distance(points, i, centre));
            shares[nearest]++;
            near += Distance(points, i, nearest) < Near ? 1 : 0;
        }
        return
        [
            new("share of points within 0.4 of a centre", (double)near / Samples),
            new("smallest share of a centre", (double)shares.Min() / Samples, 1.0 / Centres),
            new("largest share of a centre", (double)shares.Max() / Samples, 1.0 / Centres),
            new("loss of the last batch", loss),
        ];
    }

    private static Batch Batch(Compute c, Draws draws)
    {
        Tensor clean = c.New(new Shape(Count, 2)), noise = c.New(clean.Shape),
            steps = c.New(new Shape(Count), DType.Int32);
        for (int i = 0; i < Count; i++)
        {
            var (x, y) = Centre(draws.Below(Centres));
            clean.Data[2 * i] = (float)(x + (Deviation * draws.Normal()));
            clean.Data[(2 * i) + 1] = (float)(y + (Deviation * draws.Normal()));
            noise.Data[2 * i] = (float)draws.Normal();
            noise.Data[(2 * i) + 1] = (float)draws.Normal();
            steps.Ids[i] = draws.Below(NoiseSteps);
        }
        return new(new Dictionary<string, Tensor> { ["x0"] = clean, ["noise"] = noise, ["timesteps"] = steps });
    }

    private static (double X, double Y) Centre(int i) =>
        (Radius * Math.Cos(Math.PI / 4 * i), Radius * Math.Sin(Math.PI / 4 * i));

    private static double Distance(float[] points, int i, int centre)
    {
        var (x, y) = Centre(centre);
        return Math.Sqrt(Math.Pow(points[2 * i] - x, 2) + Math.Pow(points[(2 * i) + 1] - y, 2));
    }
}
