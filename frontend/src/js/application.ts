import "./dovetail"
import "./controllers"
